import Glibc
import SystemPackage
import Testing

@testable import Kernel

/// What is io_uring's alone.
@Suite struct UringContextTests {
    @Test(arguments: [(1, 1), (3, 4), (16, 16), (1000, 1024)])
    func theRingIsRoundedUp(_ wanted: Int, _ capacity: Int) throws {
        let ring = try UringContext(capacity: wanted, signalling: try EventDescriptor())
        let given = ring.capacity
        #expect(given == capacity)
    }

    @Test(arguments: [65_537, 1 << 31, Int.max])
    func moreThanTheKernelGivesIsRefused(_ capacity: Int) throws {
        let error = #expect(throws: KernelError.self) {
            let event = try EventDescriptor()
            _ = try UringContext(capacity: capacity, signalling: event)
        }
        #expect(error?.description.contains("io_uring for \(capacity) requests") == true)
    }

    @Test(arguments: [
        (Errno.notPermitted, "kernel.io_uring_disabled"), (.permissionDenied, "seccomp"),
        (.noFunction, "Linux 5.6"), (.noMemory, "ulimit -l"), (.tooManyOpenFiles, "ulimit -n"),
    ])
    func whatKeepsItFromWorkingSaysWhatToDo(_ errno: Errno, _ naming: String) {
        let text = UringContext.cannotSetUp(8, errno).description
        #expect(text.contains("8 requests") && text.contains(naming))
    }

    /// As in a container whose seccomp profile leaves io_uring out: this thread alone is kept from
    /// it.
    @Test func whereItIsForbiddenTheErrorSaysSo() throws {
        let found = Lock<String?>(nil)
        let thread = try PThread(name: "no io_uring") {
            guard forbidIOUring() else { return }
            do throws(KernelError) {
                _ = try UringContext(capacity: 8, signalling: try EventDescriptor())
            } catch {
                found.withLock { $0 = error.description }
            }
        }
        thread.join()
        let text = try #require(found.withLock { $0 })
        #expect(text.contains("kernel.io_uring_disabled") && text.contains("--aio threads"))
    }

    /// A ring that the kernel no longer serves refuses its requests one by one, each by its name,
    /// and takes new ones.
    @Test func aDeadRingRefusesByName() throws {
        var ring = try UringContext(capacity: 4, signalling: try EventDescriptor())
        let null = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        let replaced = dup2(null, ring.descriptor)
        #expect(replaced >= 0)
        close(null)
        for slots in [[2, 0, 3], [1, 2, 0, 3]] {
            for slot in slots { ring.prepare(slot: slot, .dataSync(-1)) }
            var refused: [Int] = []
            while case .refused(let slot, _) = ring.submit() { refused.append(slot) }
            let (prepared, hasCompletion) = (ring.prepared, ring.hasCompletion)
            #expect(refused == slots)
            #expect(prepared == 0 && !hasCompletion)
        }
    }
}

/// Keeps the calling thread, for good, from setting up io_uring: EPERM.
private func forbidIOUring() -> Bool {
    // What <linux/seccomp.h> and <linux/filter.h> name; io_uring_setup has the same number
    // everywhere.
    let (noNewPrivileges, setSeccomp, filterMode): (CInt, CInt, UInt) = (38, 22, 2)
    let setUp: UInt64 = 425
    func instruction(_ code: UInt64, _ jumps: UInt64, _ value: UInt64) -> UInt64 {
        code | jumps << 16 | value << 32
    }
    var program = [
        instruction(0x20, 0, 0),  // the number of the call
        instruction(0x15, 0x0100, setUp),  // if it is not this one, skip one
        instruction(0x06, 0, 0x0005_0000 | UInt64(EPERM)),
        instruction(0x06, 0, 0x7FFF_0000),
    ]
    typealias Control = @convention(c) (CInt, UInt, UInt, UInt, UInt) -> CInt
    // SAFETY: prctl(2) by its C signature with all its arguments; the program outlives the call.
    guard let symbol = unsafe dlsym(nil, "prctl") else { return false }
    let control = unsafe unsafeBitCast(symbol, to: Control.self)
    guard control(noNewPrivileges, 1, 0, 0, 0) == 0 else { return false }
    return unsafe program.withUnsafeMutableBufferPointer { steps in
        var description = (UInt(steps.count), UInt(bitPattern: steps.baseAddress))
        return unsafe withUnsafePointer(to: &description) { description in
            control(setSeccomp, filterMode, UInt(bitPattern: description), 0, 0) == 0
        }
    }
}
