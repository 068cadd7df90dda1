import Kernel
import Telemetry
import Virtio

/// What a loop that serves several devices needs of any of them.
protocol ServedDevice: AnyObject {
    /// Wakes its thread for it.
    var doorbell: EventDescriptor { get }
    /// Whether requests hold the guest's memory (`Backend.holdsMemory`).
    var holdsMemory: Bool { get }
    /// When something will be complete that nothing signals (`Backend.nextDue`).
    var nextDue: Nanoseconds? { get }
}

/// A device that a data-plane thread serves beside others.
protocol LoopDevice: ServedDevice {
    /// Moves what can be moved now: how many requests.
    func turn() -> Int
    /// Whether a turn would find something.
    var isReady: Bool { get }
    /// Asks for kicks; true if there is something to do already.
    func arm() -> Bool
    /// Wants no kicks.
    func disarm()
}

/// A device that the main loop serves, holding the Big QEMU Lock unless stated otherwise.
protocol LockedDevice: ServedDevice {
    /// The doorbell's handler: how many requests were taken.
    func handleKick() -> Int
    /// Whether something waits to be answered; called without the lock.
    func collect() -> Bool
    /// Answers one request: whether there was one.
    func answerOne() -> Bool
}

/// A virtio-blk device with whatever backend, for any kind of thread.
protocol BlockDevice: LoopDevice, LockedDevice {
    /// Serves it alone until ordered to stop (`Device.run`).
    func run()
}

/// A device in a box, to stand beside others with other backends.
final class DeviceBox<B: Backend & ~Copyable>: BlockDevice {
    private var device: Device<B>
    /// The objects of requests under way, by head.
    private var objects: [RequestObject?]
    let doorbell: EventDescriptor

    init(_ device: consuming Device<B>) {
        doorbell = device.shared.doorbell
        objects = Array(repeating: nil, count: device.shared.configuration.queueSize)
        self.device = device
    }

    var holdsMemory: Bool { device.backend.holdsMemory }
    var nextDue: Nanoseconds? { device.backend.nextDue }
    func run() { device.run() }
    func turn() -> Int { device.turn() }
    var isReady: Bool { device.isReady }
    func arm() -> Bool { device.queue.armKicks() || device.isReady }
    func disarm() { device.queue.suppressKicks() }

    func handleKick() -> Int {
        device.handleKick { objects[Int($0.head)] = $0 }
    }

    func collect() -> Bool { device.collect() }

    func answerOne() -> Bool {
        guard let head = device.answerOne() else { return false }
        objects[Int(head)] = nil
        return true
    }
}
