#!/bin/busybox sh
# The first process of the machine (vm/__main__.py): mounts the tree and the house, both read-only, runs the tests and
# hands their exit code to the outside. Whoever gets to the end answers 32 + code; a machine that only stops answers less.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
echo doorbell: up
for module in /modules/boot/*; do $b insmod "$module"; done
share="-t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288"
# shellcheck disable=SC2086  # options and their values
$b mount $share tree /tree && $b mount $share house /tree/srv || exit 1
for folder in /tmp /run /var/lib; do $b mount -t tmpfs tmpfs /tree$folder; done
for folder in /proc /sys /dev; do $b mount -o move $folder /tree$folder; done
$b mkdir /tree/dev/shm
$b mount -t tmpfs tmpfs /tree/dev/shm
$b mount -t configfs config /tree/sys/kernel/config
$b cp -r /modules /bin/busybox /tree/run
set --
while read -r word; do set -- "$@" "$word"; done </words
$b chroot /tree /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/tmp PYTHONPATH=/srv PYTHONDONTWRITEBYTECODE=1 \
    /opt/doorbell/bin/python -m pytest -c /srv/tests/device/vm/inside/pytest.ini /srv/tests/device/vm/inside "$@"
code=$?
# shellcheck disable=SC2059  # the format is the byte
printf "\\x$(printf %x $((32 + code)))" | $b dd of=/tree/dev/port bs=1 seek=244 2>/dev/null
$b poweroff -f
