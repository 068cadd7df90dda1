import Kernel
import SystemPackage
import Testing

@testable import Host

@Suite struct ThreadAccountTests {
    /// A file whose text is known.
    private final class Text: TextFile {
        let bytes: [UInt8]
        init(_ text: String) { bytes = Array(text.utf8) }

        func read(into buffer: inout [UInt8]) throws(KernelError) -> Int {
            for (index, byte) in bytes.enumerated() { buffer[index] = byte }
            return bytes.count
        }
    }

    @Test func bothFilesAreRead() {
        let account = ThreadAccount(pid: 3, tid: 4) { path throws(KernelError) in
            switch path {
            case "/proc/3/task/4/schedstat": return Text("1234567 89 10\n")
            case "/proc/3/task/4/status":
                return Text(
                    "Name:\tvcpu0\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n")
            default: throw KernelError("open", path, .noSuchFileOrDirectory)
            }
        }
        #expect(account.cpu == 1_234_567)
        #expect(account.voluntarySwitches == 5)
        #expect(account.involuntarySwitches == 6)
    }

    @Test func whatIsNotThereOrMakesNoSenseIsNil() {
        let account = ThreadAccount(pid: 3, tid: 4) { path throws(KernelError) in
            guard path.hasSuffix("status") else {
                throw KernelError("open", path, .noSuchFileOrDirectory)
            }
            return Text("nonsense")
        }
        #expect(account.cpu == nil)
        #expect(account.voluntarySwitches == nil)
    }
}
