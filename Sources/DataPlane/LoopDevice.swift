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
    /// Closes the backend, when nothing is in flight any more (`Backend.close`).
    func close()
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

/// A device that the main loop serves.
protocol LockedDevice: ServedDevice {
    /// The doorbell's handler, called with the Big QEMU Lock held: how many requests were taken.
    func handleKick() -> Int
    /// Answers what is complete: how many requests. Takes the lock for each, as its thread of that
    /// number.
    func answerAll(under lock: CountedLock, as thread: Int) -> Int
}

/// A virtio-blk device with whatever backend, for any kind of thread.
///
/// What can be done with it are closures, made where the backend's type is known, and so is the
/// code they call made for that type. Behind a protocol or in a generic class's methods, the device
/// would be code for any backend at all, which looks up at run time where each of its parts stands.
final class BlockDevice: LoopDevice, LockedDevice {
    let doorbell: EventDescriptor
    private let actions: Actions

    private struct Actions {
        let run: () -> Void
        let turn: () -> Int
        let isReady: () -> Bool
        let arm: () -> Bool
        let disarm: () -> Void
        let holdsMemory: () -> Bool
        let nextDue: () -> Nanoseconds?
        let close: () -> Void
        let handleKick: () -> Int
        let answerAll: (CountedLock, Int) -> Int
    }

    /// Inlined, so that the closures are made where the type is known.
    @inline(__always)
    init<B: Backend & ~Copyable>(_ device: consuming Device<B>) {
        doorbell = device.shared.doorbell
        let place = DevicePlace(device)
        actions = Actions(
            run: { place.device[0].run() },
            turn: { place.device[0].turn() },
            isReady: { place.device[0].isReady },
            arm: { place.device[0].queue.armKicks() || place.device[0].isReady },
            disarm: { place.device[0].queue.suppressKicks() },
            holdsMemory: { place.device[0].backend.holdsMemory },
            nextDue: { place.device[0].nextDue },
            close: { place.device[0].backend.close() },
            handleKick: { place.device[0].handleKick() },
            answerAll: { place.device[0].answerAll(under: $0, as: $1) })
    }

    /// Serves it alone until ordered to stop (`Device.run`).
    func run() { actions.run() }
    func turn() -> Int { actions.turn() }
    var isReady: Bool { actions.isReady() }
    func arm() -> Bool { actions.arm() }
    func disarm() { actions.disarm() }
    var holdsMemory: Bool { actions.holdsMemory() }
    var nextDue: Nanoseconds? { actions.nextDue() }
    func close() { actions.close() }
    func handleKick() -> Int { actions.handleKick() }
    func answerAll(under lock: CountedLock, as thread: Int) -> Int {
        actions.answerAll(lock, thread)
    }
}

/// Where a device stands as long as its closures do.
private final class DevicePlace<B: Backend & ~Copyable> {
    /// Just one.
    let device: OwnedArray<Device<B>>

    init(_ device: consuming Device<B>) {
        self.device = OwnedArray(only: device)
    }
}
