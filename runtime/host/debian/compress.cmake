# Compresses what Debian wants compressed, in the trees that are about to be packed.
file(GLOB_RECURSE found ${CPACK_TEMPORARY_DIRECTORY}/*.1 ${CPACK_TEMPORARY_DIRECTORY}/changelog)
if(found)
  execute_process(COMMAND gzip -9nf ${found} COMMAND_ERROR_IS_FATAL ANY)
endif()
