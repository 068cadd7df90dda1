import Kernel
import Testing

@Suite("Nobody waits for long for a lock that may be kept")
struct LockPatienceTests {
    @Test("A lock that another thread keeps is given up after a while")
    func patience() throws {
        let lock = Lock(1)
        let (held, done) = (try EventDescriptor(), try EventDescriptor())
        let holder = try PThread(name: "holder") {
            lock.withLock { value in
                value = 2
                held.signal()
                done.wait()
            }
        }
        held.wait()
        #expect(lock.withLock(within: 1_000_000, { $0 }) == nil)
        done.signal()
        holder.join()
        #expect(lock.withLock(within: 1_000_000, { $0 }) == 2)
    }
}
