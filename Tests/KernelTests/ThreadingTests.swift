import Glibc
import Kernel
import Testing

@Suite struct ThreadingTests {
    // MARK: EventDescriptor

    @Test func aSignalBeforeTheWaitIsNotLost() throws {
        let event = try EventDescriptor()
        #expect(!event.wait(timeout: 0))
        event.signal()
        event.signal()
        #expect(event.wait())
        // All signals were taken at once.
        #expect(!event.wait(timeout: 0))
    }

    @Test func aSignalWakesAnotherThread() throws {
        let (there, back) = (try EventDescriptor(), try EventDescriptor())
        let thread = try PThread(name: "echo") {
            for _ in 0..<1000 {
                there.wait()
                back.signal()
            }
        }
        for _ in 0..<1000 {
            there.signal()
            #expect(back.wait())
        }
        thread.join()
    }

    // MARK: Mailbox

    @Test func theNewestValueWins() throws {
        let mailbox = try Mailbox<Int>()
        #expect(mailbox.take() == nil)
        for value in 1...3 { mailbox.post(value) }
        #expect(mailbox.arrival.wait(timeout: 0))
        #expect(mailbox.take() == 3)
        #expect(mailbox.take() == nil)
    }

    @Test func theLastPostArrivesWhateverIsMissed() throws {
        let mailbox = try Mailbox<Int>()
        let poster = try PThread(name: "poster") { for value in 1...5000 { mailbox.post(value) } }
        var seen: [Int] = []
        while seen.last != 5000 {
            mailbox.arrival.wait()
            if let value = mailbox.take() { seen.append(value) }
        }
        poster.join()
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 })
    }

    // MARK: Lock

    @Test func aLockLetsOneInAtATime() throws {
        let counter = Lock(0)
        let threads = try (0..<4).map { index in
            try PThread(name: "adder\(index)") {
                for _ in 0..<5000 { counter.withLock { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(counter.withLock { $0 } == 20_000)
    }

    @Test func aLockIsFreeAgainAfterAnError() {
        struct Failure: Error {}
        let lock = Lock(1)
        #expect(throws: Failure.self) {
            try lock.withLock { _ throws(Failure) in throw Failure() }
        }
        #expect(lock.withLock { $0 } == 1)
    }

    // MARK: PThread

    /// The kernel keeps 15 bytes of a name; a longer one is cut, not refused.
    @Test(arguments: [
        ("io", "io"), ("exactly15bytes.", "exactly15bytes."),
        ("io a-lun-with-a-long-name", "io a-lun-with-a"),
    ])
    func aThreadHasItsName(_ name: String, _ shown: String) throws {
        let seen = Lock("")
        let thread = try PThread(name: name) {
            let path = "/proc/self/task/\(PThread.currentID)/comm"
            let file = unsafe open(path, O_RDONLY)
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = unsafe read(file, &bytes, 64)
            close(file)
            let text = String(decoding: bytes.prefix(max(0, count - 1)), as: UTF8.self)
            seen.withLock { $0 = text }
        }
        thread.join()
        #expect(seen.withLock { $0 } == shown)
    }

    @Test func joinWaitsForTheEnd() throws {
        let words = try SharedWords(count: 2)
        let thread = try PThread(name: "worker") {
            for _ in 0..<1000 { yieldProcessor() }
            words[0] = UInt64(PThread.currentID)
            words[1] = 1
        }
        thread.join()
        #expect(words[1] == 1)
        #expect(words[0] != UInt64(PThread.currentID))
    }

    @Test func thereIsAProcessor() { #expect(processorCount() >= 1) }
}
