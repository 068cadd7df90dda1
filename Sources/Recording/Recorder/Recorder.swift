internal import Kernel
public import Telemetry

/// Records what a source gives. One thread packs what comes in, another writes it, so that neither
/// a slow disk nor much to pack ever holds up whoever takes samples.
public final class Recorder: Sendable {
    /// What a recorder is asked to do.
    public enum Order: Sendable, Equatable {
        /// Record into this file from now on.
        case start(path: String)
        case stop
        /// Have the flight recorder write, for this reason.
        case dump(String)
        case mark(String)
    }

    private enum Input: Sendable {
        case sample(Snapshot)
        case events(KernelEventBatch)
        case order(Order)
        case finish
    }

    private let inbox: WorkQueue<Input>
    private let writer: RecordingWriter
    private let feed: (any RequestFeed)?
    private let settings: PipelineSettings
    private let packer = Lock<PThread?>(nil)
    /// Samples that may wait, and kernel events for each that may not.
    private static let inboxCapacity = 64
    private static let eventsAsSample = 8192
    /// How long an output may take nothing at the end, ns.
    private static let patience: Nanoseconds = 2_000_000_000
    /// How often single requests are fetched: while all are recorded, and while a few are, ns.
    private static let shortDrain: Nanoseconds = 10_000_000
    private static let longDrain: Nanoseconds = 250_000_000

    /// A recorder that keeps the flight recorder's memory until told more. `files` says where files
    /// go and how they are kept, `feed` gives single requests where there are any.
    public init(
        _ settings: PipelineSettings, files: RecordingFiles, feed: (any RequestFeed)?
    ) throws {
        self.settings = settings
        self.feed = feed
        inbox = try WorkQueue(capacity: Self.inboxCapacity)
        writer = try RecordingWriter(files)
        let thread = try PThread(name: "recorder") { self.run() }
        packer.withLock { $0 = thread }
    }

    /// Takes a sample; returns at once. One that finds no room leaves a gap, which is recorded.
    public func take(_ snapshot: Snapshot) { inbox.put(.sample(snapshot), cost: 1) }

    /// Takes kernel events; returns at once. Those that find no room are counted as lost.
    public func take(_ batch: KernelEventBatch) {
        guard !batch.isEmpty else { return }
        let cost = 1 + batch.events.count / Self.eventsAsSample
        guard !inbox.put(.events(batch), cost: cost) else { return }
        var rest = batch
        rest.events = []
        rest.lost &+= UInt64(batch.events.count)
        inbox.put(.events(rest))
    }

    /// Does as told, after all that was put in before.
    public func order(_ order: Order) { inbox.put(.order(order)) }

    /// What becomes of it.
    public var status: RecordingStatus { writer.status }

    /// Records into the file `path` from now on, and waits until it is open; what is wrong if it
    /// cannot be.
    public func start(path: String) -> String? {
        order(.start(path: path))
        writer.opened.wait()
        return status.failure
    }

    /// Ends both threads once all is written. An output that takes nothing for two seconds, as a
    /// disk that hangs or a reader that has stopped, is given up: false, and `status.failure` says
    /// so.
    @discardableResult
    public func finish() -> Bool {
        inbox.put(.finish)
        packer.withLock { $0.take() }?.join()
        if writer.finish(patience: Self.patience) { return true }
        writer.fail("the output takes nothing any more: what waited for it is lost")
        return false
    }

    // MARK: The packing thread

    private func run() {
        do {
            var pipeline = try RecordingPipeline(settings)
            try pack(&pipeline)
        } catch {
            writer.fail(String(describing: error))
            // Nothing will be opened any more.
            writer.opened.signal()
        }
        feed?.record(shift: nil)
    }

    private func pack(_ pipeline: inout RecordingPipeline) throws {
        var share = Share(feed)
        while true {
            share.follow(pipeline.share)
            var isLast = false
            for input in inbox.takeAll(timeout: patience(pipeline)) {
                if let failure = writer.takeFailure() { pipeline.fail(failure) }
                if try take(input, &pipeline) { isLast = true }
            }
            try fetch(&pipeline)
            let now = Clock.monotonic()
            perform(
                try pipeline.tick(
                    now, lost: feed?.lost ?? 0, dropped: writer.droppedRequests))
            if isLast { return perform(try pipeline.stop(now)) }
        }
    }

    /// Takes the requests there are.
    private func fetch(_ pipeline: inout RecordingPipeline) throws {
        guard let feed else { return }
        var events: [IOEvent] = []
        feed.drain { events.append($0) }
        perform(try pipeline.take(events, names: feed.lunNames))
    }

    /// Likewise, and those that are held back: what comes later is too late for a file that ends.
    private func fetchAll(_ pipeline: inout RecordingPipeline) throws {
        feed?.release()
        try fetch(&pipeline)
    }

    /// Nanoseconds to wait for input before the requests are fetched or a file is due to be closed;
    /// `nil`: neither will be.
    private func patience(_ pipeline: borrowing RecordingPipeline) -> Nanoseconds? {
        if feed != nil, pipeline.share != nil {
            return pipeline.state == .recording ? Self.shortDrain : Self.longDrain
        }
        if case .dumping = pipeline.state { return 1_000_000_000 }
        return nil
    }

    /// True at the end.
    private func take(_ input: Input, _ pipeline: inout RecordingPipeline) throws -> Bool {
        let now = Clock.monotonic()
        switch input {
        case .sample(let snapshot): perform(try pipeline.take(snapshot))
        case .events(let batch): perform(try pipeline.take(batch))
        case .order(.start(let path)): perform(try pipeline.start(now, path: path))
        case .order(.stop):
            try fetchAll(&pipeline)
            perform(try pipeline.stop(now))
        case .order(.dump(let reason)):
            try fetchAll(&pipeline)
            perform(try pipeline.dump(now, reason))
        case .order(.mark(let text)):
            perform(try pipeline.take(Mark(monotonic: now, kind: .note, text: text)))
        case .finish:
            feed?.release()
            return true
        }
        return false
    }

    private func perform(_ steps: [RecordingStep]) {
        for step in steps { writer.perform(step) }
    }

    /// Tells the feed what share of the requests is wanted, when that changes.
    private struct Share {
        private let feed: (any RequestFeed)?
        private var last: Int?
        private var hasBegun = false

        init(_ feed: (any RequestFeed)?) { self.feed = feed }

        mutating func follow(_ shift: Int?) {
            guard shift != last || !hasBegun else { return }
            (last, hasBegun) = (shift, true)
            feed?.record(shift: shift)
        }
    }
}
