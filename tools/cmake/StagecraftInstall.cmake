# Install and export of everything, in one place: libraries with their headers, the program, the
# shipped profiles and schemas, and the package files that `find_package(stagecraft)` reads.
include(CMakePackageConfigHelpers)

set(stagecraft_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/stagecraft)

install(TARGETS stagecraft_schedules stagecraft_traces stagecraft_sim stagecraft_engine
        EXPORT stagecraftTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/stagecraft)
install(EXPORT stagecraftTargets NAMESPACE stagecraft:: DESTINATION ${stagecraft_package_dir})
install(TARGETS stagecraft RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(STAGECRAFT_TORCH_FOUND)
  install(TARGETS stagecraft_torch LIBRARY DESTINATION lib/stagecraft)  # Where the program looks.
endif()
if(STAGECRAFT_CUDA_FOUND)
  install(TARGETS stagecraft_cuda LIBRARY DESTINATION lib/stagecraft)
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/traces/recorded/
        DESTINATION ${CMAKE_INSTALL_DATADIR}/stagecraft/profiles)
install(FILES ${PROJECT_SOURCE_DIR}/engine/data/digits.safetensors
        DESTINATION ${CMAKE_INSTALL_DATADIR}/stagecraft/data)
install(FILES ${PROJECT_SOURCE_DIR}/traces/profile.schema.json
              ${PROJECT_SOURCE_DIR}/engine/model.schema.json
              ${PROJECT_SOURCE_DIR}/tools/schemas/check.schema.json
              ${PROJECT_SOURCE_DIR}/tools/schemas/simulate.schema.json
              ${PROJECT_SOURCE_DIR}/tools/schemas/compare.schema.json
              ${PROJECT_SOURCE_DIR}/tools/schemas/train.schema.json
              ${PROJECT_SOURCE_DIR}/tools/schemas/validate.schema.json
        DESTINATION ${CMAKE_INSTALL_DATADIR}/stagecraft/schemas)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/stagecraft)

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/tools/cmake/stagecraftConfig.cmake.in
  ${PROJECT_BINARY_DIR}/stagecraftConfig.cmake
  INSTALL_DESTINATION ${stagecraft_package_dir})
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/stagecraftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/stagecraftConfig.cmake
              ${PROJECT_BINARY_DIR}/stagecraftConfigVersion.cmake
        DESTINATION ${stagecraft_package_dir})
