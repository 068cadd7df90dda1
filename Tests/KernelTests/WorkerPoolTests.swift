import Glibc
import Kernel
import Testing

/// What is the pool's alone.
@Suite struct WorkerPoolTests {
    /// The names of this process's threads.
    private func threads(named name: String) -> Int {
        listing("/proc/self/task").count { id in
            let file = unsafe open("/proc/self/task/\(id)/comm", O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = unsafe read(file, &bytes, 64)
            return String(decoding: bytes.prefix(max(0, count - 1)), as: UTF8.self) == name
        }
    }

    /// One worker at the start, more as there is work, never more than asked for; all requests are
    /// served whatever their number.
    @Test(arguments: [1, 3])
    func thePoolGrowsToItsLimit(_ workers: Int) throws {
        let owner = "of \(workers)"
        var pool = try WorkerPool(
            capacity: 64, workers: workers, owner: owner, signalling: try EventDescriptor())
        var served = 0
        for _ in 0..<50 {
            for slot in 0..<64 { pool.prepare(slot: slot, .dataSync(-1)) }
            let submission = pool.submit()
            #expect(submission == .all)
            var round = 0
            while round < 64 {
                round += pool.reap()
                yieldProcessor()
            }
            served += round
        }
        #expect(served == 50 * 64)
        // A thread has its creator's name until it names itself.
        let count = threads(named: WorkerPool.name(owner))
        #expect((1...workers).contains(count))
    }
}
