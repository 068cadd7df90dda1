import Kernel
import Telemetry
import Virtio

/// A device, whatever its backend is, for a thread that has it alone or with others.
///
/// What can be done with it are closures, made where the backend's type is known, and so is the
/// code they call made for that type. Behind a protocol or in a generic class's methods, the device
/// would be code for any backend at all, which looks up at run time where each of its parts stands.
final class LoopDevice {
    let shared: QueueShared
    /// Requests with the backend.
    let inFlight: () -> Int
    /// `CLOCK_MONOTONIC` nanoseconds at which a modelled service time ends, nil if there is none.
    let nextDue: () -> Nanoseconds?

    /// Serves the device alone until ordered to stop (`Device.run`).
    let run: () -> Void
    /// Moves what can be moved now (`Device.turn`).
    let turn: () -> Int
    /// Whether a turn would find something.
    let isReady: () -> Bool
    /// Asks for kicks; true if there is something to do already.
    let arm: () -> Bool
    /// Wants no kicks.
    let disarm: () -> Void

    /// The kick's handler of the old path.
    let handleKick: () -> Int
    /// Answers what is complete, as the old path does: how many requests. Takes the lock for each,
    /// as the thread of that number.
    let answerAll: (CountedLock, Int) -> Int

    /// Inlined, so that the closures are made where the type is known.
    @inline(__always)
    init<B: Backend & ~Copyable>(_ device: consuming Device<B>) {
        shared = device.shared
        let place = DevicePlace(device)
        inFlight = { place.device[0].backend.inFlight }
        nextDue = { place.device[0].delays.firstDue }
        run = { place.device[0].run() }
        turn = { place.device[0].turn() }
        isReady = { place.device[0].isReady }
        arm = { place.device[0].queue.armKicks() || place.device[0].isReady }
        disarm = { place.device[0].queue.suppressKicks() }
        handleKick = { place.device[0].handleKick() }
        answerAll = { place.device[0].answerAll(under: $0, as: $1) }
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
