# Instead of packages with wrong paths.
message(FATAL_ERROR "the packages are made in a build that was configured with -DCMAKE_INSTALL_PREFIX=/usr")
