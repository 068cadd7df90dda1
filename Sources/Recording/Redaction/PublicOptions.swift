/// Options of which everybody may know: those that say how fast and how safe something is. Of the
/// others the value is left out, as it may be an address, a key or a place.
enum PublicOptions {
    /// Options of mounts and exports whose values are words.
    private static let worded: Set<String> = [
        "vers", "nfsvers", "proto", "mountproto", "sec", "lookupcache", "local_lock", "data",
        "errors", "compress", "compress-force", "discard", "journal_checksum", "cache", "msize",
        "allocsize", "logbsize", "commit", "barrier", "iocharset",
    ]

    /// Options of mounts and exports that name somebody, even where the value is a number.
    private static let personal: Set<String> = [
        "uid", "gid", "uuid", "user_id", "group_id", "anonuid", "anongid", "fsid", "subvolid",
    ]

    /// Parameters of a kernel that rules and their readers ask for, with their values; modules may
    /// have any.
    private static let parameters: Set<String> = [
        "delayacct", "nodelayacct", "clocksource", "tsc", "notsc", "no-kvmclock", "nox2apic",
        "x2apic_phys", "noapic", "nolapic", "elevator", "isolcpus", "nohz", "nohz_full",
        "rcu_nocbs", "quiet", "ro", "rw", "nr_cpus", "maxcpus", "numa", "psi", "cgroup_disable",
        "cgroup_no_v1", "systemd.unified_cgroup_hierarchy",
        "irqaffinity", "threadirqs", "preempt", "mitigations", "nopti", "pti", "spectre_v2",
        "spec_store_bypass_disable", "l1tf", "mds", "tsx", "tsx_async_abort", "nosmt", "idle",
        "cpuidle_haltpoll", "haltpoll", "intel_pstate", "amd_pstate", "intel_iommu", "amd_iommu",
        "iommu", "hugepages", "hugepagesz", "default_hugepagesz", "transparent_hugepage",
        "numa_balancing", "pcie_aspm", "nmi_watchdog", "nowatchdog", "skew_tick",
    ]
    private static let modules: Set<String> = [
        "virtio_blk", "virtio_pci", "virtio_scsi", "nvme", "nvme_core", "scsi_mod", "dm_mod",
        "dm_multipath", "kvm", "kvm_intel", "kvm_amd", "intel_idle", "processor", "cpuidle",
        "cpufreq", "workqueue", "rcutree", "zswap",
    ]

    /// A kernel's boot line: parameters that nobody needs are left out whole, their names too.
    static func bootLine(_ line: String) -> String {
        line.split(separator: " ").filter { parameter in
            let name = parameter.prefix { $0 != "=" }
            let value = parameter.dropFirst(name.count + 1)
            let isKnown =
                parameters.contains(String(name))
                || name.firstIndex(of: ".").map { modules.contains(String(name[..<$0])) } ?? false
            return isKnown && isPlain(value, "._,-:")
        }.joined(separator: " ")
    }

    /// Options of a mount or an export: `rw,vers=4.2,addr=…`.
    static func list(_ options: String) -> String {
        options.split(separator: ",", omittingEmptySubsequences: false).map { option in
            let name = option.prefix { $0 != "=" }
            guard name.count < option.count else { return String(option) }
            let value = option.dropFirst(name.count + 1)
            let isKnown =
                worded.contains(String(name))
                ? isPlain(value, "._:-")
                : !personal.contains(String(name)) && value.utf8.allSatisfy(\.isDigit)
            return isKnown ? String(option) : name + "=…"
        }.joined(separator: ",")
    }

    private static func isPlain(_ value: Substring, _ signs: String) -> Bool {
        value.utf8.allSatisfy { $0 < 0x80 && ($0.isLetterOrDigit || signs.utf8.contains($0)) }
    }
}
