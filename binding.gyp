{
  "targets": [
    {
      "target_name": "garpoon",
      # One source list for this build and for native/CMakeLists.txt.
      "sources": ["<!@(ls native/addon*.cc)", "<!@(sed s,^,native/, native/sources.txt)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=9",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        # Without it worker.terminate() during a call aborts the process (node-addon-api#975).
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "_GNU_SOURCE",
      ],
      "cflags": ["-Wall", "-Wextra", "-fvisibility=hidden", "-fstack-protector-strong"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++20", "-fno-exceptions"],
      "ldflags": ["-Wl,-z,relro,-z,now"],
      "configurations": {
        # Fortified only where the optimiser is on, without which it warns.
        "Release": {"cflags": ["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"]},
      },
    }
  ]
}
