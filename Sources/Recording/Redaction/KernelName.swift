/// The kernel's own names for disks, which are no secret, and by which rules tell devices apart.
enum KernelName {
    /// Drivers that give letters: `sda`, `vdb1`.
    private static let lettered = ["sd", "vd", "xvd", "hd", "dasd", "ubd"]
    /// Drivers that give numbers: `nvme0n1p2`, `dm-3`, `md127`.
    private static let numbered = [
        "nvme", "dm-", "md", "loop", "sr", "nbd", "rbd", "zd", "zram", "ram", "mmcblk", "drbd",
        "bcache", "pmem", "fd", "ublkb", "scm", "nullb",
    ]

    /// Whether the kernel itself calls a disk or a partition so. An array may have a name of its
    /// owner's after `md`.
    static func isDisk(_ name: some StringProtocol) -> Bool {
        lettered.contains { driver in
            guard name.hasPrefix(driver) else { return false }
            let rest = name.utf8.dropFirst(driver.utf8.count)
            let letters = rest.prefix { $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") }
            return (1...3).contains(letters.count)
                && rest.dropFirst(letters.count).allSatisfy(\.isDigit)
        }
            || numbered.contains { driver in
                guard name.hasPrefix(driver) else { return false }
                let rest = name.utf8.dropFirst(driver.utf8.count)
                return rest.first?.isDigit == true
                    && rest.allSatisfy { $0.isDigit || "bcnp".utf8.contains($0) }
            }
    }

    /// Whether it is the path of such a disk: `/dev/sda`.
    static func isDevice(_ path: some StringProtocol) -> Bool {
        path.hasPrefix("/dev/") && isDisk(path.dropFirst(5))
    }
}
