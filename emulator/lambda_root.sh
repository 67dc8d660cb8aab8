#!/bin/sh
# Runs a command in a root directory laid out as in a Lambda execution environment, in a mount namespace of its own
# (`unshare --mount`, as root): code at /var/task, layers at /opt, the interpreter at /var/lang, all of it read-only,
# 512 MB of /tmp, and of this machine nothing but its programs and libraries. The command runs as an ordinary user.
#
#   lambda_root.sh ROOT TASK OPT LANG RAPID CGROUP COMMAND...
#
# ROOT is an empty folder to mount on; RAPID, the folder of AWS's emulator, and CGROUP, of a memory limit, may be "".
# Source: AWS Lambda Developer Guide, "Lambda execution environment" and "Defined runtime environment variables".
set -eu
root=$1 task=$2 opt=$3 lang=$4 rapid=$5 cgroup=$6
shift 6

if [ -n "$cgroup" ]; then echo $$ > "$cgroup/cgroup.procs"; fi

read_only() {
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    mount -o remount,bind,ro "$root$2"
}

mount -t tmpfs -o mode=755 lambda "$root"
for folder in /bin /sbin /lib /lib32 /lib64 /usr /etc; do
    if [ -L "$folder" ]; then
        cp -P "$folder" "$root$folder"
    elif [ -d "$folder" ]; then
        read_only "$folder" "$folder"
    fi
done
mkdir -p "$root/dev" "$root/proc" "$root/tmp"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount -t tmpfs -o size=512m,mode=1777 tmp "$root/tmp"
read_only "$task" /var/task
read_only "$opt" /opt
read_only "$lang" /var/lang
# What was installed into this interpreter is not the function's.
for folder in "$root"/var/lang/lib/python3*/site-packages "$root"/var/lang/lib/python3*/dist-packages; do
    if [ -d "$folder" ]; then mount -t tmpfs -o ro,size=4k,mode=755 none "$folder"; fi
done
if [ -n "$rapid" ]; then read_only "$rapid" /var/rapid; fi
mount -o remount,ro lambda "$root"

# sbx_user1051 of Lambda, in numbers.
chroot=$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)
exec "$chroot" --userspec=993:990 --groups=990 "$root" /bin/sh -c 'cd /var/task && exec "$@"' sh "$@"
