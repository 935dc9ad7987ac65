#!/bin/sh
# Sets up, or removes, the service that shows root's backups to the members of a group, read-only. Called by install.sh and
# uninstall.sh; by itself it needs root and an installation for all users.
#
#   service.sh install [changed] | remove       changed: the program is another one, so the service must start again
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
places system
GROUP=backup-tray
UNIT=/etc/systemd/system/backup-tray.service
FOLDER=/etc/tmpfiles.d/backup-tray.conf
VIEW=/run/backup-tray-view

[ "$(id -u)" = 0 ] || stop 77 "Only root can change the service of the whole system." "" "sudo $0 ${1:-install}"
systemd_runs() { [ -d /run/systemd/system ]; }

# theirs FILE: succeeds if FILE exists and another program made it.
theirs() { [ -e "$1" ] && ! grep -q "$MARK" "$1"; }

install_service() {
    for file in "$UNIT" "$FOLDER"; do
        theirs "$file" && stop 73 "$file exists and is not ours." "" "Move it away, then try again."
    done
    if ! getent group "$GROUP" >/dev/null; then
        command -v groupadd >/dev/null 2>&1 || stop 69 "The group $GROUP cannot be made." "There is no groupadd here." \
            "Make a system group of this name with your system's tools, then try again."
        groupadd --system "$GROUP"
    fi
    mkdir -p "${UNIT%/*}" "${FOLDER%/*}"
    # The system makes the folder at its start, with or without the service, so that a tray notices a service that does not run.
    cat >"$FOLDER.new" <<END
# $MARK.
d $VIEW 0750 root $GROUP -
END
    cat >"$UNIT.new" <<END
# $MARK.
[Unit]
Description=Backup Tray: root's backups, shown to the members of the group $GROUP
After=local-fs.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=$LAUNCHER system --group $GROUP
Restart=on-failure
RestartSec=1
UMask=0077
CPUWeight=50
# Root's tracker runs in here too. It has to see all processes (so /proc stays whole), and asks engines about repositories, which need
# their caches and locks, and for some repositories the network. The service itself opens no port.
NoNewPrivileges=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME CAP_MKNOD CAP_NET_ADMIN CAP_NET_RAW

[Install]
WantedBy=multi-user.target
END
    chmod 644 "$UNIT.new" "$FOLDER.new"
    cmp -s "$UNIT.new" "$UNIT" || changed=changed
    mv -f "$FOLDER.new" "$FOLDER"
    mv -f "$UNIT.new" "$UNIT"
    if systemd_runs; then
        systemd-tmpfiles --create "$FOLDER" || true
        systemctl daemon-reload
        systemctl enable --quiet backup-tray.service
        [ -z "$changed" ] || systemctl restart backup-tray.service
        systemctl start backup-tray.service
        say "Root's backups are shown by the service backup-tray to the members of the group $GROUP."
    else
        say "systemd is not running here, so the service that shows root's backups was not started. Start it by hand: $LAUNCHER system"
    fi
    who=NAME
    [ "${SUDO_USER:-root}" = root ] || who=$SUDO_USER
    case ",$(getent group "$GROUP" | cut -d: -f4)," in
    *",$who,"*) ;;
    *) say "To let a user see them: usermod -aG $GROUP $who  (and log in again)" ;;
    esac
}

remove_service() {
    theirs "$UNIT" && return
    if systemd_runs && [ -e "$UNIT" ]; then
        systemctl disable --now --quiet backup-tray.service || true
    fi
    rm -f "$UNIT" "$FOLDER" "$VIEW/view.sock"
    rmdir "$VIEW" 2>/dev/null || true
    ! systemd_runs || systemctl daemon-reload
    getent group "$GROUP" >/dev/null || return 0
    members=$(getent group "$GROUP" | cut -d: -f4)
    if [ -n "$members" ]; then
        say "The group $GROUP stays, since it has members: $members. Without them: groupdel $GROUP"
    else
        groupdel "$GROUP" || say "The group $GROUP stays; it could not be removed."
    fi
}

changed=${2:-}
case ${1:-} in
install) install_service ;;
remove) remove_service ;;
*) stop 64 "service.sh: say install or remove." "" "" ;;
esac
