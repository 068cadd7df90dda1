import Kernel
import Telemetry
import Virtio

/// What the two threads of a queue and its observers share. Everything here is memory whose words
/// have one writer each, or a descriptor.
///
/// A LUN on a path without a virtqueue has one of these too: its requests' memory and counters are
/// the same.
final class QueueShared: Sendable {
    /// The number of its LUN, and its own among the LUN's queues.
    let index: Int
    let number: Int
    /// The vCPU that drives it.
    let vcpu: Int
    let configuration: LUNConfiguration
    /// Its share of the LUN's jobs, and the sectors they work on.
    let job: JobConfiguration
    let part: Range<UInt64>
    let memory: LUNMemory
    let counters: LUNCounterBlock
    let stamps: StampTable
    /// Wakes the device thread: kicks, AIO completions and orders to stop.
    let doorbell: EventDescriptor
    /// Wakes the vCPU thread: the queue's interrupt.
    let interrupt: EventDescriptor
    let orders: Orders
    let observer: QueueObserver
    let costs: ModelledCosts
    /// The lock that exits of this path take.
    let bigLock: CountedLock?
    /// The lock of the guest's request queue, where its driver has one; the queue's vCPU alone
    /// takes it, as its thread 0.
    let requestLock: CountedLock?

    init(
        index: Int, number: Int = 0, vcpu: Int = 0, configuration: LUNConfiguration,
        memory: LUNMemory? = nil, doorbell: EventDescriptor? = nil, interrupt: EventDescriptor,
        orders: Orders, costs: ModelledCosts = ModelledCosts(), bigLock: CountedLock? = nil,
        requestLock: CountedLock? = nil, file: MemoryFile? = nil
    ) throws {
        self.index = index
        self.number = number
        self.vcpu = vcpu
        self.configuration = configuration
        self.interrupt = interrupt
        self.orders = orders
        self.costs = costs
        self.bigLock = bigLock
        self.requestLock = requestLock
        job = configuration.job(ofQueue: number)
        part = configuration.part(ofQueue: number)
        let slots = job.slots
        self.memory =
            try memory
            ?? LUNMemory(
                lun: index, queue: number, layout: configuration.path == .ide ? .ide : .block,
                queueSize: configuration.queueSize, tableEntries: configuration.tableEntries,
                slots: slots, bufferBytes: configuration.job.blockSize, file: file)
        counters = try LUNCounterBlock(slots: slots)
        stamps = try StampTable(queueSize: configuration.queueSize)
        self.doorbell = try doorbell ?? EventDescriptor()
        observer = QueueObserver(ring: self.memory.ring, features: configuration.features)
    }
}

/// Orders to all threads of an engine, given by its owner.
struct Orders: Sendable {
    private enum Word: Int, CaseIterable { case guestStops, devicesStop, trace, recordShift }
    private let words: SharedWords

    init() throws(KernelError) { words = try SharedWords(count: Word.allCases.count) }

    var guestStops: Bool {
        get { words[Word.guestStops.rawValue] != 0 }
        nonmutating set { words[Word.guestStops.rawValue] = newValue ? 1 : 0 }
    }

    var devicesStop: Bool {
        get { words[Word.devicesStop.rawValue] != 0 }
        nonmutating set { words[Word.devicesStop.rawValue] = newValue ? 1 : 0 }
    }

    var trace: TraceMode {
        get {
            TraceMode(rawValue: Int(truncatingIfNeeded: words[Word.trace.rawValue])) ?? .off
        }
        nonmutating set { words[Word.trace.rawValue] = UInt64(newValue.rawValue) }
    }

    /// One request in 2^`recordShift` of a LUN leaves a record, 0…16.
    var recordShift: Int {
        get { Int(words[Word.recordShift.rawValue] & 31) }
        nonmutating set { words[Word.recordShift.rawValue] = UInt64(min(max(0, newValue), 16)) }
    }
}
