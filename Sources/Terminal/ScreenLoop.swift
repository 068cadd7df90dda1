import Glibc
public import Grid
public import Kernel

/// Waits for whatever concerns the screen and says what it was; `main` does the rest:
/// `while let event = loop.next() { … }`.
///
/// Ends after one `.terminate`. A terminal that hung up is a SIGHUP, whether the signal came or
/// not.
public struct ScreenLoop: ~Copyable {
    /// What happened.
    public enum Event: Sendable, Equatable {
        /// Keys came, in order; never empty.
        case keys([Key])
        /// The wake-up eventfd was written; its count has been taken.
        case wake
        /// The terminal has this size now; everything is to be painted again.
        case resized(Size)
        /// The timer's deadline passed; late ones count as one.
        case tick
        /// Ctrl-Z: call `terminal.suspend()`, then paint.
        case suspend
        /// Continued after SIGSTOP: call `terminal.resume()`, then paint.
        case continued
        /// SIGINT, SIGTERM, SIGHUP or SIGQUIT: stop, and exit with 128 + this number.
        case terminate(Int32)
    }

    /// The signals to create the `SignalDescriptor` with.
    public static var signals: [Int32] {
        [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT]
    }

    /// Those of them that end the program.
    public static var endingSignals: [Int32] { [SIGINT, SIGTERM, SIGHUP, SIGQUIT] }
    /// The one that suspends it, Ctrl-Z's.
    public static var stopSignal: Int32 { SIGTSTP }

    private let terminal: Terminal
    private let signals: SignalDescriptor
    private let wake: Int32
    private let timer: PeriodicTimer
    private var waiting: [Event] = []
    private var emptyReads = 0
    private var hasEnded = false

    /// A loop over the keys of `terminal`, `signals`, the eventfd `wake` (negative for none) and a
    /// `.tick` every `period` (`nil`: none). Owns `signals`, not the eventfd. Throws the error of
    /// timerfd_create(2).
    public init(
        terminal: Terminal, signals: consuming SignalDescriptor, wake: Int32,
        tickEvery period: Duration? = nil
    ) throws(KernelError) {
        timer = try PeriodicTimer(every: period)
        self.terminal = terminal
        self.signals = signals
        self.wake = wake
    }

    /// Changes the period of `.tick`, `nil` to none.
    public func tick(every period: Duration?) throws(KernelError) { try timer.change(to: period) }

    /// Waits for the next event; `nil` after `.terminate`.
    public mutating func next() -> Event? {
        while !hasEnded && waiting.isEmpty { collect() }
        if hasEnded { return nil }
        let event = waiting.removeFirst()
        if case .terminate = event { hasEnded = true }
        return event
    }

    /// Waits once and queues what came, signals first.
    private mutating func collect() {
        let descriptors = [
            signals.rawDescriptor, terminal.inputDescriptor, wake, timer.rawDescriptor,
        ]
        guard let ready = try? waitForInput(descriptors) else {
            waiting.append(.terminate(SIGHUP))  // a descriptor was closed under us
            return
        }
        if ready[0].isReadable { collectSignals() }
        if ready[1].isReadable || ready[1].isGone { collectKeys(isGone: ready[1].isGone) }
        if ready[2].isReadable {
            takeCounter(wake)
            waiting.append(.wake)
        }
        if ready[3].isReadable, timer.take() > 0 { waiting.append(.tick) }
    }

    private mutating func collectSignals() {
        while let number = signals.next() {
            switch number {
            case SIGWINCH: waiting.append(.resized(terminal.resized()))
            case SIGTSTP: waiting.append(.suspend)
            case SIGCONT: waiting.append(.continued)
            default: waiting.append(.terminate(number))
            }
        }
    }

    /// A terminal that is ready again and again with nothing to read has come to its end; one such
    /// time may be an unfinished mouse report.
    private mutating func collectKeys(isGone: Bool) {
        let (keys, hadInput) = terminal.readInput()
        if !keys.isEmpty { waiting.append(.keys(keys)) }
        emptyReads = hadInput ? 0 : emptyReads + 1
        if isGone || emptyReads > 3 { waiting.append(.terminate(SIGHUP)) }
    }
}
