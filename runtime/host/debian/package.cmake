# The Debian packages, made by `cpack -G DEB` in a build that was configured with -DCMAKE_INSTALL_PREFIX=/usr:
#
#   orrery          the programs, providers, manual pages, completions, the service and its user
#   liborrery0      the shared library
#   liborrery-dev   header, static library, pkg-config and CMake files
#
# Knows names and control files; what is installed where, the CMakeLists.txt says with its components. Dependencies on libraries are found by
# dpkg-shlibdeps. Included at the end, after everything is installed.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME orrery)
set(CPACK_PACKAGE_CONTACT "The Orrery authors <orrery@users.noreply.github.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "clockwork for backups")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL orrery liborrery0 liborrery-dev)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/compress.cmake)

# What only packages have: the legal file and the changes of each, and the service's options. The paths that are compiled in, and those of
# Debian's libraries, follow from the prefix, so that a build with another one cannot be packed.
if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
  foreach(package ${CPACK_COMPONENTS_ALL})
    install(FILES LICENSE DESTINATION share/doc/${package} COMPONENT ${package} RENAME copyright)
    install(FILES ${CMAKE_CURRENT_LIST_DIR}/changelog DESTINATION share/doc/${package} COMPONENT ${package})
  endforeach()
  install(FILES ${CMAKE_CURRENT_LIST_DIR}/default DESTINATION /etc/default COMPONENT orrery RENAME orrery)
else()
  set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/refuse.cmake)
endif()

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(orr_debian ${CMAKE_CURRENT_LIST_DIR})
set(CPACK_DEBIAN_ORRERY_PACKAGE_NAME orrery)
set(CPACK_DEBIAN_ORRERY_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_ORRERY_PACKAGE_DEPENDS "adduser, tzdata, ca-certificates, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_ORRERY_PACKAGE_RECOMMENDS "restic, zstd, lua-busted")
set(CPACK_DEBIAN_ORRERY_PACKAGE_SUGGESTS "postgresql-client")
set(CPACK_DEBIAN_ORRERY_DESCRIPTION "A runtime that owns when backups start, what is remembered of them and how
their progress is followed; everything particular to one backup system is a
Lua script, a provider. Comes with providers for restic, tar archives,
PostgreSQL and any program of yours.")
set(CPACK_DEBIAN_ORRERY_PACKAGE_CONTROL_EXTRA
  "${orr_debian}/postinst;${orr_debian}/prerm;${orr_debian}/postrm;${orr_debian}/conffiles")

set(CPACK_DEBIAN_LIBORRERY0_PACKAGE_NAME liborrery0)
set(CPACK_DEBIAN_LIBORRERY0_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBORRERY0_PACKAGE_DEPENDS "tzdata, libluajit-5.1-2") # opened at run time, bindings/door
set(CPACK_DEBIAN_LIBORRERY0_PACKAGE_RECOMMENDS "orrery")
set(CPACK_DEBIAN_LIBORRERY0_DESCRIPTION "The library: Orrery's runtime for programs that embed it. The job runner and
the providers are in the package orrery.")
set(CPACK_DEBIAN_LIBORRERY0_PACKAGE_CONTROL_EXTRA "${CMAKE_CURRENT_BINARY_DIR}/shlibs;${orr_debian}/triggers")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/shlibs "liborrery 0 liborrery0 (>= ${PROJECT_VERSION})\n")

set(CPACK_DEBIAN_LIBORRERY-DEV_PACKAGE_NAME liborrery-dev)
set(CPACK_DEBIAN_LIBORRERY-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBORRERY-DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_LIBORRERY-DEV_PACKAGE_DEPENDS "liborrery0 (= ${PROJECT_VERSION}), libluajit-5.1-dev, libcurl4-openssl-dev, libssl-dev, libcjson-dev, libuv1-dev, libsqlite3-dev, libsodium-dev")
set(CPACK_DEBIAN_LIBORRERY-DEV_DESCRIPTION "What it takes to build programs that embed Orrery's runtime: orrery.h, the
static library, and the files by which pkg-config and CMake find them.")

include(CPack)
