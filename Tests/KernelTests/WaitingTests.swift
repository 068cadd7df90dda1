import Glibc
import SystemPackage
import Testing

@testable import Kernel

/// Signals, timers and eventful descriptors as input of one loop.
struct WaitingTests {
    @Test func aBlockedSignalWaitsInTheDescriptor() throws {
        let signals = try SignalDescriptor([SIGURG, 0, 65, -1])
        #expect(signals.next() == nil)
        raise(SIGURG)
        raise(SIGURG)
        #expect(try waitForInput([signals.rawDescriptor])[0].isReadable)
        #expect(signals.next() == SIGURG)
        #expect(signals.next() == nil)
    }

    @Test func onlyTheReadyDescriptorsAreNamed() throws {
        let quiet = try FileDescriptor.pipe()
        let ready = try FileDescriptor.pipe()
        defer {
            for end in [quiet.readEnd, quiet.writeEnd, ready.readEnd] { try? end.close() }
        }
        _ = try ready.writeEnd.writeAll([1])
        let descriptors = [quiet.readEnd.rawValue, -1, ready.readEnd.rawValue]
        let nothing = Readiness(isReadable: false, isGone: false)
        #expect(
            try waitForInput(descriptors)
                == [nothing, nothing, Readiness(isReadable: true, isGone: false)])
        try ready.writeEnd.close()
        #expect(try waitForInput(descriptors)[2].isGone)
        #expect(try waitForInput([quiet.readEnd.rawValue], timeout: .zero) == [nothing])
        #expect(try waitForInput([quiet.readEnd.rawValue], timeout: .seconds(-1)) == [nothing])
    }

    @Test func aClosedDescriptorIsGone() throws {
        #expect(try waitForInput([.max])[0] == Readiness(isReadable: false, isGone: true))
    }

    @Test func aTimerFiresAndCountsItsDeadlines() throws {
        let timer = try PeriodicTimer(every: .milliseconds(1))
        #expect(try waitForInput([timer.rawDescriptor])[0].isReadable)
        #expect(timer.take() >= 1)
        try timer.change(to: nil)
        #expect(timer.take() == 0)
        try timer.change(to: .seconds(Int64.max))
        #expect(timer.take() == 0)
    }
}
