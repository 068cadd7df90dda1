private import CKernel

/// Perf events that are only counted, all of one thread or CPU: one system call reads them all.
///
/// Counting a software event costs its thread nothing to speak of, a tracepoint some 60 ns.
public final class PerfCounters: Sendable {
    /// What the counters stood at.
    public struct Reading: Sendable, Equatable {
        /// Nanoseconds the group was asked to count, and did. Where they differ, the counters had
        /// to share hardware and counted part of the time.
        public var enabled: UInt64
        public var running: UInt64
        /// In the order of the requests, corrected for the time not counted.
        public var values: [UInt64]

        /// A reading of `values`.
        public init(enabled: UInt64, running: UInt64, values: [UInt64]) {
            self.enabled = enabled
            self.running = running
            self.values = values
        }

        /// What the words of a group's reading say; `nil` if they are not `count` counters.
        init?(words: ArraySlice<UInt64>, count: Int) {
            guard words.count == count + 3, let number = words.first, number == count else {
                return nil
            }
            let words = Array(words)
            let (enabled, running) = (words[1], words[2])
            let share = Double(enabled) / Double(max(1, running))
            self.enabled = enabled
            self.running = running
            values = words[3...].map { value in
                guard running < enabled, running > 0 else { return value }
                return UInt64(exactly: (Double(value) * share).rounded()) ?? value
            }
        }
    }

    private let descriptors: [PerfDescriptor]
    /// Descriptors it holds.
    public var count: Int { descriptors.count }

    /// Opens and starts `requests`, at least one, on `target`. Throws which of them failed: EACCES
    /// where perf_event_paranoid forbids it, ESRCH for a thread that ended, EINVAL for a filter.
    public init(_ requests: [PerfRequest], on target: PerfTarget) throws(PerfError) {
        var opened: [PerfDescriptor] = []
        for (index, request) in requests.enumerated() {
            do {
                opened.append(
                    try PerfDescriptor(
                        request, on: target, leader: opened.first, flags: CInt(CK_PERF_GROUP)))
            } catch {
                throw PerfError(index: index, cause: error)
            }
        }
        do {
            try opened.first?.enable(true, group: true)
        } catch {
            throw PerfError(index: 0, cause: error)
        }
        descriptors = opened
    }

    /// Reads all counters; the `words` are its scratch paper. `nil` if the kernel answers in a form
    /// not known.
    public func read(scratch words: inout [UInt64]) throws(KernelError) -> Reading? {
        guard let leader = descriptors.first else { return nil }
        if words.count < count + 3 { words = Array(repeating: 0, count: count + 3) }
        let read = try leader.read(into: &words)
        return Reading(words: words.prefix(read), count: count)
    }
}
