/// A file of a guest's kernel that tells how it is set up. All are read only and below /proc and
/// /sys; nothing else can be named, so that nothing else can be asked of a guest.
public enum GuestFile: Sendable, Hashable {
    /// The clock in use, and those there are.
    case clocksource, clocksources
    /// The kernel's boot line.
    case bootLine
    case delayAccounting
    /// The first CPU's part is enough.
    case cpuInfo
    case idleGovernor
    case mounts
    /// A parameter of virtio_blk, in Linux 3.7 to 3.12.
    case useBio
    case interrupts
    /// Requests of all disks and partitions.
    case diskStats
    /// Settings of a disk's queue.
    case scheduler(GuestDevice)
    case addRandom(GuestDevice)
    case rotational(GuestDevice)
    /// There for each hardware queue of a disk, counted from 0.
    case hardwareQueue(GuestDevice, UInt16)
    /// Where a partition begins.
    case partitionStart(GuestDevice)

    /// Where it lies.
    public var path: String {
        switch self {
        case .clocksource: "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        case .clocksources: "/sys/devices/system/clocksource/clocksource0/available_clocksource"
        case .bootLine: "/proc/cmdline"
        case .delayAccounting: "/proc/sys/kernel/task_delayacct"
        case .cpuInfo: "/proc/cpuinfo"
        // Without the suffix it is there only since Linux 5.9.
        case .idleGovernor: "/sys/devices/system/cpu/cpuidle/current_governor_ro"
        case .mounts: "/proc/mounts"
        case .useBio: "/sys/module/virtio_blk/parameters/use_bio"
        case .interrupts: "/proc/interrupts"
        case .diskStats: "/proc/diskstats"
        case .scheduler(let disk): "/sys/block/\(disk.name)/queue/scheduler"
        case .addRandom(let disk): "/sys/block/\(disk.name)/queue/add_random"
        case .rotational(let disk): "/sys/block/\(disk.name)/queue/rotational"
        case .hardwareQueue(let disk, let queue): "/sys/block/\(disk.name)/mq/\(queue)/nr_tags"
        case .partitionStart(let partition): "/sys/class/block/\(partition.name)/start"
        }
    }

    /// The disk or partition it is about, `nil` for the kernel as a whole.
    public var device: GuestDevice? {
        switch self {
        case .scheduler(let device), .addRandom(let device), .rotational(let device),
            .hardwareQueue(let device, _), .partitionStart(let device):
            device
        default: nil
        }
    }

    /// Bytes that are read of it at most.
    public var limit: Int {
        switch self {
        // A line of text for each interrupt with a number for each of up to some hundred CPUs.
        case .interrupts: 4 << 20
        case .mounts, .diskStats: 1 << 20
        case .cpuInfo: 16 << 10
        default: 8 << 10
        }
    }

    /// Whether its beginning says all that is wanted of it.
    public var isReadInPart: Bool { self == .cpuInfo }
}

/// The kernel's name for a disk or partition of a guest, fit for a path.
public struct GuestDevice: Sendable, Hashable {
    /// `vda`, `sdb1`, `nvme0n1p2`: ASCII letters and digits.
    public let name: String

    /// `nil` for what no virtual disk is called: whatever has more in it than letters and digits,
    /// or more than the kernel's 31 of them.
    public init?(_ name: some StringProtocol) {
        guard (1...31).contains(name.utf8.count),
            name.utf8.allSatisfy({ $0.isLowercase || $0.isDigit })
        else { return nil }
        self.name = String(name)
    }

    /// Whether it is called as whole disks are: `vda`, `sdb`, `hda`, `xvda`, `nvme0n1`.
    public var isWholeDisk: Bool {
        for driver in ["vd", "sd", "hd", "xvd"] where name.hasPrefix(driver) {
            let letters = name.utf8.dropFirst(driver.utf8.count)
            return !letters.isEmpty && letters.allSatisfy(\.isLowercase)
        }
        guard name.hasPrefix("nvme") else { return false }
        let numbers = name.utf8.dropFirst(4).split(
            separator: UInt8(ascii: "n"), omittingEmptySubsequences: false)
        return numbers.count == 2
            && numbers.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isDigit) }
    }

    /// Whether it is called as a partition of `disk` is: `vda1`, `nvme0n1p1`.
    public func isPartition(of disk: GuestDevice) -> Bool {
        guard name.hasPrefix(disk.name) else { return false }
        var number = name.utf8.dropFirst(disk.name.utf8.count)
        if disk.name.utf8.last?.isDigit == true {
            guard number.popFirst() == UInt8(ascii: "p") else { return false }
        }
        return !number.isEmpty && number.allSatisfy(\.isDigit)
    }
}

extension UInt8 {
    fileprivate var isLowercase: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
