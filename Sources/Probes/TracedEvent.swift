internal import Kernel
internal import ProcFS
internal import SystemPackage
internal import Telemetry

/// A tracepoint that is traced: whose occurrences, and what is kept of a record.
struct TracedEvent: Sendable {
    /// The occurrences that one probe file wants.
    struct Subject: Sendable, Equatable {
        let scope: ProbeDefinition.Scope
        let filter: String?
    }

    /// `system:name`.
    let name: String
    let kind: PerfEventKind
    /// The two fields that are kept; `nil` where it has no more.
    let a: TracepointFormat.Field?
    let b: TracepointFormat.Field?
    private(set) var subjects: [Subject] = []

    /// What is to be opened on a thread of `role`; `nil` where nobody wants its events. Files that
    /// want different occurrences of one event share it, so that each is recorded once.
    func request(for role: ThreadActivity.Role) -> PerfRequest? {
        let wanted = subjects.filter { $0.scope.includes(role) }
        guard !wanted.isEmpty else { return nil }
        var filters: [String] = []
        for subject in wanted {
            guard let filter = subject.filter else { return PerfRequest(kind, filter: nil) }
            if !filters.contains(filter) { filters.append(filter) }
        }
        let filter = filters.map { "(" + $0 + ")" }.joined(separator: " || ")
        return PerfRequest(kind, filter: filters.count == 1 ? filters[0] : filter)
    }

    /// Its name, and what `a` and `b` are.
    var legend: String {
        let fields = [("a", a), ("b", b)].compactMap { key, field in
            field.map { key + " " + $0.name }
        }
        return fields.isEmpty ? name : name + " (" + fields.joined(separator: ", ") + ")"
    }

    /// The tracepoints of `definitions` that this kernel has, and why it has not the others.
    static func all(
        of definitions: [ProbeDefinition], in tracefs: Tracefs
    ) -> (events: [TracedEvent], missing: [String]) {
        var (events, missing): ([TracedEvent], [String]) = ([], [])
        func add(_ event: ProbeDefinition.Event, _ subject: Subject, _ fields: [String]) {
            guard case .tracepoint(let system, let name) = event else { return }
            let full = system + ":" + name
            if let index = events.firstIndex(where: { $0.name == full }) {
                events[index].subjects.append(subject)
                return
            }
            do throws(Tracefs.Failure) {
                let format = try tracefs.format(system: system, name: name)
                events.append(TracedEvent(full, event.text, format, fields, subject))
            } catch {
                if !missing.contains(error.reason) { missing.append(error.reason) }
            }
        }
        // What happens to other processes on the host's CPUs is not the VM's.
        for probe in definitions where probe.scope != .cpus {
            let companion = probe.eventNames?.names.companion.map { [$0] } ?? []
            add(
                probe.event, Subject(scope: probe.scope, filter: probe.filter),
                probe.fields + companion)
            if let until = probe.until {
                add(until, Subject(scope: probe.scope, filter: probe.untilFilter), [])
            }
        }
        return (events, missing)
    }

    /// The fields that the probe file asks for come first, then the event's own in their order.
    private init(
        _ name: String, _ text: String, _ format: TracepointFormat, _ wanted: [String],
        _ subject: Subject
    ) {
        let own = format.fields.map(\.name).filter {
            !$0.hasPrefix("common_") && $0 != "__syscall_nr"
        }
        var fields: [TracepointFormat.Field] = []
        for name in wanted + own where !fields.contains(where: { $0.name == name }) {
            if let field = format.field(name), field.isNumber { fields.append(field) }
        }
        self.name = name
        kind = .tracepoint(id: format.id, name: text)
        a = fields.first
        b = fields.dropFirst().first
        subjects = [subject]
    }
}

extension TracepointFormat.Field {
    fileprivate var isNumber: Bool { size == 1 || size == 2 || size == 4 || size == 8 }
}
