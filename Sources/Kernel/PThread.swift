private import CKernel
private import Glibc
private import SystemPackage

/// A dedicated thread with a name of its own, for loops that block or spin.
///
/// No task, actor or queue takes part: the data plane's threads run from start to end undisturbed.
public final class PThread: Sendable {
    private let handle: pthread_t

    /// Starts `body` on a new thread. `name` shows in top and /proc, cut to 15 bytes.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(KernelError) {
        let start = Start(name: name, body: body)
        var handle = pthread_t()
        // SAFETY: the retained start record is released by the new thread, or below if there is
        // none.
        let record = unsafe Unmanaged.passRetained(start)
        let error = unsafe pthread_create(
            &handle, nil,
            { record in
                guard let record = unsafe record else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(record).takeRetainedValue()
                unsafe ck_name_this_thread(start.name)
                start.body()
                return nil
            }, record.toOpaque())
        guard error == 0 else {
            unsafe record.release()
            throw KernelError(
                "start thread", name, Errno(rawValue: error),
                remedy: "raise the limit of threads (ulimit -u)")
        }
        self.handle = handle
    }

    /// Waits for the thread to end; call it once.
    public func join() {
        pthread_join(handle, nil)
    }

    /// The kernel's id of the calling thread, as /proc/self/task lists it.
    public static var currentID: Int { Int(ck_gettid()) }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}

/// The processors this process may use.
public func processorCount() -> Int { Int(ck_processors()) }
