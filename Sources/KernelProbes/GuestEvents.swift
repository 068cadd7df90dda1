internal import Libraries

/// Interrupts for VMs and exits of their virtual CPUs, counted by BPF programs on tracepoints of
/// KVM. One thread uses it; it never waits. The programs run as long as it lives.
///
/// An event belongs to the VM whose process it happens in: what the host's own interrupts signal
/// (a device handed to the guest) is counted for whoever was interrupted.
public struct GuestEvents {
    /// What happened to one VM between two samples; `nil` where the tracepoint is not to be had.
    public struct Counts: Sendable, Equatable {
        /// Message-signalled interrupts and interrupt lines, as somebody asked for them.
        public var messages: UInt64?
        public var lines: UInt64?
        /// Interrupts that a virtual CPU's APIC took.
        public var accepted: UInt64?
        /// Ends of interrupts told by the guest, by exit and by shared memory.
        public var ends: UInt64?
        public var paravirtualEnds: UInt64?
        /// Exits by the processor's reason (the lower 16 bits); `otherReason` for the rest.
        public var exits: [UInt32: UInt64]?

        /// Nothing known.
        public init() {}
    }
    /// Stands for all reasons that have no count of their own.
    public static let otherReason: UInt32 = 0xFFFF

    /// Processes of the VMs, each once, in the order of their slots.
    public let processes: [Int]
    /// Why a tracepoint is not there, by the name of its program.
    public private(set) var refusals: [String: KernelProbeError] = [:]

    private let object: BPFObject
    private let map: BPFMap
    private var last: [[UInt64]]
    private var scratch: [UInt64] = []

    private static let name = "injections"
    /// The programs in the order of their counts.
    static let programs = ["msi", "line", "accepted", "eoi", "pv_eoi", "left"]
    static let words = 5 + 256

    /// Loads the programs and starts them on `processes`. Throws if none of them can be had.
    public init(processes: [Int]) throws(KernelProbeError) {
        self.processes = Array(Set(processes)).sorted()
        object = try ProgramFile.read(Self.name)
        do throws(BPFError) {
            for map in ["slots", "counts"] { try object.resize(map, to: self.processes.count) }
            try object.load()
            map = try object.map("counts", words: Self.words, perCPU: true)
            let slots = try object.map("slots", words: 1)
            for (slot, process) in self.processes.enumerated() {
                try slots.put(UInt32(clamping: process), [UInt64(slot)])
            }
        } catch {
            throw KernelProbeError(error, of: Self.name)
        }
        let nothing = [UInt64](repeating: 0, count: Self.words)
        last = Array(repeating: nothing, count: self.processes.count)
        try attach()
    }

    /// A kernel without one of the tracepoints may have the others.
    private mutating func attach() throws(KernelProbeError) {
        for program in Self.programs {
            do { try object.attach(program) } catch {
                refusals[program] = KernelProbeError(
                    reason: "BPF programs \(Self.name): \(error)",
                    remedy: "load KVM, and mount tracefs: mount -t tracefs tracefs "
                        + "/sys/kernel/tracing")
            }
        }
        if refusals.count == Self.programs.count, let reason = refusals[Self.programs[0]] {
            throw reason
        }
    }

    /// What happened to every VM since the sample before, by its process.
    public mutating func sample() -> [Int: Counts] {
        var result: [Int: Counts] = [:]
        var sum: [UInt64] = []
        let missing = Set(refusals.keys)
        for slot in processes.indices {
            guard (try? map.read(UInt32(slot), into: &sum, scratch: &scratch)) != nil else {
                continue
            }
            let new = zip(sum, last[slot]).map { $0 &- $1 }
            last[slot] = sum
            result[processes[slot]] = Counts(new, without: missing)
        }
        return result
    }
}

extension GuestEvents.Counts {
    /// What `struct vm_counts` of injections.bpf.c says, but for the programs `missing`.
    init(_ words: [UInt64], without missing: Set<String>) {
        func word(_ index: Int) -> UInt64? {
            missing.contains(GuestEvents.programs[index]) ? nil : words[index]
        }
        messages = word(0)
        lines = word(1)
        accepted = word(2)
        ends = word(3)
        paravirtualEnds = word(4)
        guard !missing.contains("left") else { return }
        var exits: [UInt32: UInt64] = [:]
        for (place, count) in words[5...].enumerated() where count > 0 {
            exits[Self.reason(at: UInt32(place))] = count
        }
        self.exits = exits
    }

    /// The reason that is counted at `place`.
    private static func reason(at place: UInt32) -> UInt32 {
        switch place {
        case 0..<240: place
        case 240..<244: 0x400 + place - 240
        default: GuestEvents.otherReason
        }
    }
}
