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
    /// Whether something waits to be answered.
    let collect: () -> Bool
    /// Answers one request: whether there was one.
    let answerOne: () -> Bool

    /// Inlined, so that the closures are made where the type is known.
    @inline(__always)
    init<B: Backend & ~Copyable>(_ device: consuming Device<B>) {
        shared = device.shared
        let box = DeviceBox(device)
        inFlight = { box.device.backend.inFlight }
        nextDue = { box.device.delays.firstDue }
        run = { box.device.run() }
        turn = { box.device.turn() }
        isReady = { box.device.isReady }
        arm = { box.device.queue.armKicks() || box.device.isReady }
        disarm = { box.device.queue.suppressKicks() }
        handleKick = { box.device.handleKick { box.objects[Int($0.head)] = $0 } }
        collect = { box.device.collect() }
        answerOne = {
            guard let head = box.device.answerOne() else { return false }
            box.objects[Int(head)] = nil
            return true
        }
    }
}

/// Where a device stands as long as its closures do.
private final class DeviceBox<B: Backend & ~Copyable> {
    var device: Device<B>
    /// The objects of requests under way, by head.
    var objects: [RequestObject?]

    init(_ device: consuming Device<B>) {
        objects = Array(repeating: nil, count: device.shared.configuration.queueSize)
        self.device = device
    }
}
