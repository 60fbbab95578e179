#!/bin/sh
# Installs the servers, plain tools and the browser that the tests need, where this is root on Debian; elsewhere says
# what is missing.
# What is installed is not started: tests start servers of their own.
set -eu
missing=
servers='rabbitmq-server mosquitto mosquitto-clients postgresql amqp-tools'
browser='chromium chromium-driver fonts-wqy-zenhei'
for package in $servers $browser; do
    case $(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null) in
    ?i*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "NOT INSTALLED:$missing; tests that need them will say NOT RUN. On Debian, as root: apt install$missing"
    exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # package names are words
if ! { apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends $missing; }; then
    echo "NOT INSTALLED:$missing; apt-get failed. Tests that need them will say NOT RUN."
fi
