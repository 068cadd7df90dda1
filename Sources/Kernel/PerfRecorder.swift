private import CKernel
private import SystemPackage

/// Tracepoints of one thread or CPU whose occurrences are recorded, in one ring for all of them.
///
/// Recording costs the thread some 200 ns an event. What comes faster than it is read is lost and
/// counted: a reading says how many events there were, whether recorded or not.
public final class PerfRecorder: Sendable {
    /// What one event stands at.
    public struct Count: Sendable, Equatable {
        /// Occurrences since it was opened.
        public var events: UInt64
        /// Records of it that found no room; `nil` where the kernel does not tell it by event
        /// (before Linux 6.0).
        public var lost: UInt64?

        /// `events` of which `lost` left no record.
        public init(events: UInt64, lost: UInt64?) {
            self.events = events
            self.lost = lost
        }
    }

    private let descriptors: [PerfDescriptor]
    private let ids: [UInt64]
    private let ring: PerfRing
    private let tellsLost: Bool
    /// Descriptors it holds.
    public var count: Int { descriptors.count }

    /// Opens and starts `requests`, at least one, on `target`, with a ring of `ringByteCount`
    /// bytes, rounded up to a power of two of pages. Throws which of them failed.
    public init(
        _ requests: [PerfRequest], on target: PerfTarget, ringByteCount: Int
    ) throws(PerfError) {
        var opened: [PerfDescriptor] = []
        var ids: [UInt64] = []
        var ring: PerfRing?
        var tellsLost = true
        for (index, request) in requests.enumerated() {
            do {
                let descriptor = try Self.open(request, on: target, tellsLost: &tellsLost)
                if let first = opened.first {
                    try descriptor.redirect(to: first)
                } else {
                    ring = try PerfRing(of: descriptor, byteCount: ringByteCount)
                }
                ids.append(try descriptor.id())
                opened.append(descriptor)
            } catch {
                throw PerfError(index: index, cause: error)
            }
        }
        guard let ring else {
            throw PerfError(index: 0, cause: KernelError("record", "no events", .invalidArgument))
        }
        // The last first: a pair's end is there before its beginning is.
        for (index, descriptor) in opened.enumerated().reversed() {
            do {
                try descriptor.enable(true, group: false)
            } catch {
                throw PerfError(index: index, cause: error)
            }
        }
        self.descriptors = opened
        self.ids = ids
        self.ring = ring
        self.tellsLost = tellsLost
    }

    private static func open(
        _ request: PerfRequest, on target: PerfTarget, tellsLost: inout Bool
    ) throws(KernelError) -> PerfDescriptor {
        let record = CInt(CK_PERF_RECORD)
        if tellsLost {
            do {
                return try PerfDescriptor(
                    request, on: target, period: 1, flags: record | CInt(CK_PERF_LOST))
            } catch {
                // Kernels before 6.0 do not know PERF_FORMAT_LOST.
                guard error.errno == .invalidArgument, error.attempt.hasPrefix("open") else {
                    throw error
                }
            }
        }
        let descriptor = try PerfDescriptor(request, on: target, period: 1, flags: record)
        tellsLost = false
        return descriptor
    }

    /// How often each event occurred, in the order of the requests; `words` are scratch paper.
    /// `nil` for one whose answer is not understood.
    public func read(scratch words: inout [UInt64]) throws(KernelError) -> [Count?] {
        if words.count < 4 { words = Array(repeating: 0, count: 4) }
        var counts: [Count?] = []
        counts.reserveCapacity(descriptors.count)
        for descriptor in descriptors {
            // {value, time enabled, time running, lost}
            let read = try descriptor.read(into: &words)
            let wanted = tellsLost ? 4 : 3
            counts.append(
                read >= wanted ? Count(events: words[0], lost: tellsLost ? words[3] : nil) : nil)
        }
        return counts
    }

    /// Hands over and frees every record there is, with the index of its request and its raw
    /// fields, as the tracepoint's `format` describes them.
    public func drain(
        scratch: inout [UInt8], _ body: (Int, PerfSample, Span<UInt8>) -> Void
    ) -> PerfDrain {
        ring.drain(scratch: &scratch) { sample, fields in
            guard let index = ids.firstIndex(of: sample.id) else { return }
            body(index, sample, fields)
        }
    }

    /// Has only every `period`th occurrence of request `index` recorded from now on; all are
    /// counted.
    public func setPeriod(_ period: UInt64, of index: Int) {
        guard descriptors.indices.contains(index) else { return }
        descriptors[index].setPeriod(period)
    }

    /// Ends counting and recording of all requests; counts and records stay to be read. An event
    /// that the kernel refuses to stop goes on.
    public func stop() {
        for descriptor in descriptors { try? descriptor.enable(false, group: false) }
    }
}
