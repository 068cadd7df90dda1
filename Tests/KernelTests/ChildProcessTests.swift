import SystemPackage
import Testing

@testable import Kernel

@Suite struct ChildProcessTests {
    /// Everything it prints.
    private func output(of process: borrowing ChildProcess) throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try process.read()
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    @Test func itsOutputAndStatusArrive() throws {
        var process = try ChildProcess("sh", ["-c", "echo \"$1\"; exit 7", "sh", "a b 'c'"])
        #expect(try output(of: process) == "a b 'c'\n")
        #expect(process.wait() == 7)
    }

    @Test func aProgramThatIsNotThereIsTold() {
        #expect {
            _ = try ChildProcess("no-such-program-anywhere", []).output
        } throws: { error in
            (error as? KernelError)?.errno == .noSuchFileOrDirectory
        }
    }

    @Test func oneThatIsAskedToEndEnds() throws {
        var process = try ChildProcess("sh", ["-c", "echo ready; read x < /dev/zero"])
        #expect(try String(decoding: process.read(), as: UTF8.self) == "ready\n")
        process.terminate()
        #expect(process.wait() == 128 + 15)
    }

    /// A blocked signal would be inherited, and the child could not be ended by it.
    @Test func noSignalIsBlockedInIt() throws {
        let done = Lock("")
        let thread = try PThread(name: "blocks") {
            guard let signals = try? SignalDescriptor([15]) else { return }
            let blocked = "grep SigBlk /proc/self/status"
            if var process = try? ChildProcess("sh", ["-c", blocked]),
                let bytes = try? process.read()
            {
                done.withLock { $0 = String(decoding: bytes, as: UTF8.self) }
                _ = process.wait()
            }
            _ = signals.rawDescriptor
        }
        thread.join()
        let shown = done.withLock { $0 }
        #expect(shown.hasSuffix("\t0000000000000000\n"), "\(shown)")
    }

    /// Whoever forgets it leaves nothing running: the pipe's other end is closed.
    @Test func itEndsWithItsValue() throws {
        func start() throws -> String {
            let process = try ChildProcess("sh", ["-c", "echo $$; while :; do :; done"])
            return String(decoding: try process.read(), as: UTF8.self)
        }
        let pid = try start().filter(\.isNumber)
        #expect((try? FileStatus(of: "/proc/\(pid)")) == nil)
    }
}
