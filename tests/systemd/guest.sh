#!/bin/bash
# Runs at boot inside the container, as root: installs as docs/guide/install.md says, starts the units, and says what
# it saw, one `name=value` a line. `boot.py` judges it.
D=/opt/doorbell/bin/doorbell
units="recorder vault uplink"
say() { printf '%s=%s\n' "$1" "$2"; }
active() { for one in $units; do systemctl is-active "doorbell-$one"; done | sort -u | tr '\n' ' '; }
soon() { for _ in $(seq 60); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.5; done; return 1; }
records() { $D status --json | grep -q '"recording": *true'; }
knock() { curl -sk --max-time 20 -o /dev/null -w '%{http_code}' https://localhost:8443/; }
clips() { find /var/lib/doorbell/segments -name '*.seg' | wc -l; }
recorded() { [ "$(clips)" -gt 0 ]; }
all_stopped() { [ "$(active)" = "inactive " ]; }
pid() { systemctl show -p MainPID --value "doorbell-$1"; }

say users "$(systemd-sysusers 2>&1)"
systemd-tmpfiles --create /etc/tmpfiles.d/doorbell.conf
chgrp -R doorbell /etc/doorbell; chmod -R g+rX,o= /etc/doorbell
$D init --json >/dev/null 2>&1; say init $?
say verify "$(systemd-analyze verify --man=no /etc/systemd/system/doorbell* 2>&1)"
systemctl start doorbell.target
soon records; say records $?
say started "$(active)"
say page_before "$(systemctl is-active doorbell-page)"
say page_answers "$(knock)"
say page_after "$(systemctl is-active doorbell-page)"
soon recorded
say clips "$(clips)"
for one in $units page; do systemctl kill -s KILL "doorbell-$one"; done
sleep 3; soon records; say records_again $?
say restarted "$(active)"
say page_answers_again "$(knock)"
for one in recorder vault page; do say "network_$one" "$(nsenter -t "$(pid $one)" -n ls /sys/class/net 2>/dev/null | tr '\n' ' ')$(nsenter -t "$(pid $one)" -n ip -br link | wc -l)"; done
say uplink_sees "$(nsenter -t "$(pid uplink)" -m ls /var/lib 2>&1 | tr '\n' ' ')"
say page_sees "$(nsenter -t "$(pid page)" -m ls /var/lib/doorbell 2>&1 | tr '\n' ' ')"
say recorder_reads_keys "$(nsenter -t "$(pid recorder)" -m ls /var/lib/doorbell/vault 2>&1 | wc -l)"
stranger="import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('/run/doorbell/console.sock'); print(len(s.recv(1)))"
say stranger_at_console "$(setpriv --reuid doorbell-uplink --regid doorbell-uplink --init-groups /opt/doorbell/bin/python -c "$stranger" 2>&1 | tail -1)"
soon sh -c '! systemctl is-active doorbell-page'; say page_idle "$(systemctl is-active doorbell-page)"
systemctl stop doorbell.target; soon all_stopped; say stopped "$(active)"
say failed "$(systemctl --failed --no-legend --plain 'doorbell*' | wc -l)"
