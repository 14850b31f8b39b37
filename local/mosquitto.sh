#!/bin/sh
# Puts mosquitto_pub, the client of AWS's walk-throughs, below this folder's .venv, from Debian's packages and without
# root. Does nothing where it is installed. Elsewhere than on Debian and its kin it says what to do and ends well:
# nothing but the tests of docs/walkthroughs.md needs it.
set -eu
cd "$(dirname "$0")/.."
if [ -x .venv/bin/mosquitto_pub ] || command -v mosquitto_pub >/dev/null; then exit 0; fi
missing() {
    echo "mosquitto_pub is not there ($1); the tests of docs/walkthroughs.md need it: install mosquitto-clients" >&2
    exit 0
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || missing "no Debian packages on this system"

root="$PWD/.venv/mosquitto"
# Lists and cache of our own: apt's are root's, and may never have been fetched.
mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$root/packages"
apt() { timeout 120 apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Dir::State::Lists="$root/lists" -o Dir::Cache="$root/cache" -o APT::Sandbox::User="$(id -un)" "$@"; }
apt update >&2 || missing "apt-get update failed"
# Not among them: libssl, which the openssl of the same walk-throughs has brought.
(cd "$root/packages" && apt download mosquitto-clients libmosquitto1 libcjson1) >&2 || missing "apt-get download failed"
for package in "$root"/packages/*.deb; do dpkg-deb --extract "$package" "$root"; done
rm -rf "$root/lists" "$root/cache" "$root/packages"

libraries=$(dirname "$(find "$root/usr/lib" -name 'libmosquitto.so.1' | head -n 1)")
cat >.venv/bin/mosquitto_pub <<EOF
#!/bin/sh
# Made by local/mosquitto.sh.
LD_LIBRARY_PATH="$libraries" exec "$root/usr/bin/mosquitto_pub" "\$@"
EOF
chmod +x .venv/bin/mosquitto_pub
.venv/bin/mosquitto_pub --help 2>&1 | grep -q '^mosquitto_pub version' || { rm .venv/bin/mosquitto_pub; missing "it does not start"; }
