import Kernel
import Telemetry
import Virtio

/// What the two threads of a LUN and its observers share. Everything here is memory whose words
/// have one writer each, or a descriptor.
final class LUNShared: Sendable {
    let index: Int
    let configuration: LUNConfiguration
    let memory: LUNMemory
    let counters: LUNCounterBlock
    let stamps: StampTable
    /// Wakes the device thread: kicks, AIO completions and orders to stop.
    let doorbell: EventDescriptor
    /// Wakes the vCPU thread: the LUN's interrupt.
    let interrupt: EventDescriptor
    let orders: Orders
    let observer: QueueObserver

    init(
        index: Int, configuration: LUNConfiguration, interrupt: EventDescriptor, orders: Orders
    ) throws {
        self.index = index
        self.configuration = configuration
        self.interrupt = interrupt
        self.orders = orders
        memory = try LUNMemory(
            lun: index, queueSize: configuration.queueSize, slots: configuration.slots,
            bufferBytes: configuration.job.blockSize)
        counters = try LUNCounterBlock(queueSize: configuration.queueSize)
        stamps = try StampTable(queueSize: configuration.queueSize)
        doorbell = try EventDescriptor()
        observer = QueueObserver(ring: memory.ring, features: configuration.features)
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
