# Sourced by the scripts that make images where no registry answers: it
# unpacks a Debian root file system from the machine's own package mirrors.

suite=bookworm

# Prints "URI suite" of each Debian archive this machine's apt is set up with.
debian_mirrors() {
  # The pattern does not match the suites of third parties, which share the
  # code name but not its endings.
  apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v s="$suite" '$3 == "main" && $2 ~ "^" s "(-updates|-security)?$" { print $1, $2 }' |
    sort -u
}

in_rootfs() {
  local root=$1
  shift
  chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
}

make_rootfs() {
  local root=$1 mirror
  mirror=$(debian_mirrors | awk -v s="$suite" '$2 == s { uri = $1 } END { print uri }')
  [ -n "$mirror" ] || { echo "apt has no mirror of Debian $suite" >&2; return 1; }
  # With the certificates, apt inside reaches a mirror behind HTTPS as well.
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >&2

  debian_mirrors | awk '{ print "deb", $1, $2, "main" }' > "$root/etc/apt/sources.list"
  # A daemon started by a package's script would run on this machine itself,
  # because a chroot shares its processes and its network.
  printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  in_rootfs "$root" apt-get update -q >&2
  in_rootfs "$root" apt-get dist-upgrade -qy >&2
}

install_packages() {
  local root=$1
  shift
  in_rootfs "$root" apt-get install -qy --no-install-recommends "$@" >&2
}

# Removes what no container needs, and what the machine left behind.
strip_rootfs() {
  local root=$1
  in_rootfs "$root" apt-get clean
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/var/cache/* \
    "$root"/usr/share/{doc,man,info,locale,i18n}/* "$root"/tmp/* \
    "$root"/etc/{resolv.conf,hostname} "$root"/etc/ssl/private/* \
    "$root"/etc/apt/sources.list "$root"/usr/sbin/policy-rc.d
}
