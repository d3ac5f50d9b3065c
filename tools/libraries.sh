#!/usr/bin/env bash
# Makes sure that the shared libraries which bpy and skia load are there: tries the imports, installs Debian's packages where
# that is allowed, and else says the one command to type.
# usage: libraries.sh ENGINE_PYTHON BLENDER_PYTHON
set -u
packages="libegl1 libfontconfig1 libgl1 libgl1-mesa-dri libice6 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxxf86vm1"

works() {
    "$1" -c "import skia" && "$2" -c "import bpy"
}

works "$1" "$2" >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing the system's libraries that bpy and skia load: $packages"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi
works "$1" "$2" >/dev/null && exit 0
echo "bpy or skia cannot load a system library (see above): run  sudo apt-get install $packages  and try again" >&2
exit 1
