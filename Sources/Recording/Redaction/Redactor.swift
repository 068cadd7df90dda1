public import Telemetry

/// Replaces names and paths by words that say only what they stand for: `lun-3`, `file-12`. The
/// same name gets the same word everywhere, so that a recording still tells its LUNs apart, and is
/// judged as it would be with its names.
///
/// What a number says stays, and so do the kernel's own names for disks (`sda`, `dm-3`). Of a fact
/// what is private is known by its name. A text that a person or a program wrote freely (notices,
/// findings' evidence) keeps its words, except that every known name in it is replaced, and
/// whatever looks like a path.
public struct Redactor: Sendable {
    private var book = NameBook()
    private var lastFacts = RedactedFacts()
    /// Free texts as they are shown: most come again with every sample.
    private var texts: [String: String] = [:]
    private var textsRevision = 0
    private static let textLimit = 4096

    /// Knows no name yet.
    public init() {}

    /// `snapshot` without names and paths.
    public mutating func redact(_ snapshot: Snapshot) -> Snapshot {
        var result = snapshot
        learn(snapshot)
        result.facts = lastFacts.redact(snapshot.facts, &book)
        result.source.name = book.word(snapshot.source.name, "source")
        for index in result.vms.indices { redact(&result.vms[index]) }
        for index in result.luns.indices { redact(&result.luns[index]) }
        for index in result.threads.indices { redact(&result.threads[index]) }
        for index in result.locks.indices {
            result.locks[index].vm = vm(result.locks[index].vm)
            result.locks[index].name = free(result.locks[index].name)
            result.locks[index].waiters = result.locks[index].waiters.map { free($0) }
        }
        for index in result.host.disks.indices {
            result.host.disks[index].name = book.disk(result.host.disks[index].name)
            result.host.disks[index].luns = result.host.disks[index].luns.map { qualified($0) }
        }
        for index in result.eventCounts.indices {
            result.eventCounts[index].vm = vm(result.eventCounts[index].vm)
            result.eventCounts[index].detail = free(result.eventCounts[index].detail)
        }
        for index in result.inFlight.indices {
            result.inFlight[index].lun = qualified(result.inFlight[index].lun)
        }
        for index in result.slowest.indices {
            result.slowest[index].lun = qualified(result.slowest[index].lun)
        }
        redactTexts(&result)
        return result
    }

    /// `mark` without names and paths.
    public mutating func redact(_ mark: Mark) -> Mark {
        var result = mark
        result.scope = mark.scope.map { scope($0) }
        if mark.kind == .finding, let end = mark.text.firstIndex(of: " ") {
            // A rule's id is nobody's name.
            result.text = mark.text[..<end] + free(String(mark.text[end...]))
        } else {
            result.text = free(mark.text)
        }
        return result
    }

    /// The word for the LUN called `name`, `VM/id` or id.
    public mutating func redact(lun name: String) -> String { qualified(name) }

    // MARK: Rows

    /// Gives every name of `snapshot` its word first, so that free texts find them all.
    private mutating func learn(_ snapshot: Snapshot) {
        for machine in snapshot.vms {
            _ = book.vm(machine.name)
            if let path = machine.qmp { _ = book.word(path, "socket") }
        }
        for lun in snapshot.luns {
            _ = vm(lun.vm)
            _ = book.word(lun.id, "lun")
            for name in [lun.node] + lun.graph.map({ $0.name }) {
                _ = name.map { book.word($0, "node") }
            }
            for path in [lun.file] + lun.graph.map(\.file) { _ = path.map { book.path($0) } }
            if let threads = lun.ioThread {
                for name in threads.split(separator: ",") { _ = book.ioThread(String(name)) }
            }
            _ = lun.throttle.map { throttle($0) }
        }
        for disk in snapshot.host.disks {
            _ = book.disk(disk.name)
            for name in disk.luns { _ = qualified(name) }
        }
        for thread in snapshot.threads {
            _ = name(of: thread)
            for name in thread.luns { _ = book.word(name, "lun") }
        }
        _ = book.word(snapshot.source.name, "source")
    }

    private mutating func redact(_ machine: inout VirtualMachine) {
        machine.name = book.vm(machine.name)
        machine.qmp = machine.qmp.map { book.word($0, "socket") }
    }

    private mutating func redact(_ lun: inout LUN) {
        lun.vm = vm(lun.vm)
        lun.id = book.word(lun.id, "lun")
        lun.node = lun.node.map { book.word($0, "node") }
        lun.file = lun.file.map { book.path($0) }
        lun.ioThread = lun.ioThread.map { names in
            names.split(separator: ",").map { book.ioThread(String($0)) }.joined(separator: ",")
        }
        lun.hostDisk = lun.hostDisk.map { book.disk($0) }
        lun.throttle = lun.throttle.map { throttle($0) }
        for index in lun.graph.indices {
            lun.graph[index].name = book.word(lun.graph[index].name, "node")
            lun.graph[index].file = lun.graph[index].file.map { book.path($0) }
        }
    }

    private mutating func throttle(_ limits: String) -> String {
        limits.split(separator: " ").map { part in
            part.hasPrefix("group=")
                ? "group=" + book.word(String(part.dropFirst(6)), "group") : String(part)
        }.joined(separator: " ")
    }

    private mutating func redact(_ thread: inout ThreadActivity) {
        thread.vm = vm(thread.vm)
        thread.name = name(of: thread)
        thread.luns = thread.luns.map { book.word($0, "lun") }
    }

    private mutating func name(of thread: ThreadActivity) -> String {
        let name = thread.name
        if thread.role == .iothread {
            return name.hasPrefix("IO ")
                ? "IO " + book.ioThread(String(name.dropFirst(3))) : book.ioThread(name)
        }
        return thread.role != .other && Self.isUsual(name) ? name : book.word(name, "thread")
    }

    /// Whether it is a name that QEMU or the kernel gives a thread, and not one that the user gave
    /// all of them (`-name process=`).
    private static func isUsual(_ name: String) -> Bool {
        ["main", "main loop", "worker", "qemu-kvm", "kvm"].contains(name)
            || ["CPU ", "qemu-system-", "iou-wrk-", "iou-sqp-", "pool-"]
                .contains(where: name.hasPrefix)
    }

    private mutating func vm(_ name: String?) -> String? { name.map { book.vm($0) } }

    /// `VM/id` of a LUN with a word for each part.
    private mutating func qualified(_ name: String) -> String {
        if let known = book.known(name) { return known }
        var (vm, id) = split(name)
        if vm == nil, !name.hasPrefix("/"), let slash = name.lastIndex(of: "/") {
            (vm, id) = (name[..<slash], name[name.index(after: slash)...])
        }
        let word = book.word(String(id), "lun")
        return vm.map { book.vm(String($0)) + "/" + word } ?? word
    }

    /// The VM that `name` begins with, and what follows: ids may have slashes too.
    private func split(_ name: String) -> (vm: Substring?, id: Substring) {
        let slash = name.indices.first { name[$0] == "/" && book.known(name[..<$0]) != nil }
        return slash.map { (name[..<$0], name[name.index(after: $0)...]) } ?? (nil, name[...])
    }

    // MARK: Texts

    private mutating func redactTexts(_ result: inout Snapshot) {
        for index in result.findings.indices { redact(&result.findings[index]) }
        for index in result.clearedFindings.indices { redact(&result.clearedFindings[index]) }
        for index in result.notices.indices {
            result.notices[index].vm = vm(result.notices[index].vm)
            result.notices[index].text = free(result.notices[index].text)
        }
        for index in result.sources.indices {
            result.sources[index].vm = vm(result.sources[index].vm)
            result.sources[index].detail = free(result.sources[index].detail)
        }
        for index in result.unavailable.indices {
            result.unavailable[index].reason = free(result.unavailable[index].reason)
            result.unavailable[index].remedy = free(result.unavailable[index].remedy)
        }
    }

    private mutating func redact(_ finding: inout Finding) {
        finding.scope = scope(finding.scope)
        finding.title = free(finding.title)
        finding.evidence = free(finding.evidence)
        finding.fix = free(finding.fix)
        finding.sources = finding.sources.map { free($0) }
        finding.effect = free(finding.effect)
        finding.remedy.qemu = free(finding.remedy.qemu)
        finding.remedy.libvirt = free(finding.remedy.libvirt)
        finding.remedy.live = free(finding.remedy.live)
        finding.remedy.verify = free(finding.remedy.verify)
    }

    /// `lun:VM/id` and the like (`Subject.word`), `vm:VM` of a notice.
    private mutating func scope(_ text: String) -> String {
        guard let colon = text.firstIndex(of: ":"),
            let kind = Scope.Kind(rawValue: String(text[..<colon]))
        else { return free(text) }
        let name = String(text[text.index(after: colon)...])
        let (vm, id) = split(name)
        let word =
            switch kind {
            case .disk: book.disk(name)
            case .vm, .guest: book.vm(name)
            case .lun: qualified(name)
            case .guestDisk: own(vm) + book.disk(String(id), "guest-disk")
            case .ioThread: own(vm) + book.ioThread(String(id))
            case .host, .tool: free(name)
            }
        return kind.rawValue + ":" + word
    }

    private mutating func own(_ vm: Substring?) -> String {
        vm.map { book.vm(String($0)) + "/" } ?? ""
    }

    private mutating func free(_ text: String?) -> String? { text.map { free($0) } }

    /// A text with the known names and the paths in it replaced.
    private mutating func free(_ text: String) -> String {
        if textsRevision != book.revision || texts.count >= Self.textLimit {
            texts.removeAll(keepingCapacity: true)
            textsRevision = book.revision
        }
        if let known = texts[text] { return known }
        let result = book.replaceNames(in: text, .joints)
        texts[text] = result
        return result
    }
}

/// The facts of the sample before, and as they were recorded: most come again.
private struct RedactedFacts: Sendable {
    private var plain = FactSheet()
    private var redacted = FactSheet()
    private var revision = 0
    /// How far ahead a fact is looked for that is not in its place.
    private static let reach = 64

    mutating func redact(_ sheet: FactSheet, _ book: inout NameBook) -> FactSheet {
        let isSame = sheet.isIdentical(to: plain)
        if isSame, revision == book.revision { return redacted }
        let facts = sheet.facts
        let places = isSame ? Array(facts.indices) : places(of: facts)
        for (fact, place) in zip(facts, places) where place == nil { book.learn(fact) }
        let shown = redacted.facts
        let isCurrent = revision == book.revision
        let result = zip(facts, places).map { fact, place in
            isCurrent ? place.map { shown[$0] } ?? book.redact(fact) : book.redact(fact)
        }
        (plain, redacted, revision) = (sheet, FactSheet(result), book.revision)
        return redacted
    }

    /// The place of each in the sheet before.
    private func places(of facts: [Fact]) -> [Int?] {
        let old = plain.facts
        var next = 0
        return facts.map { fact in
            let window = next..<min(old.count, next + Self.reach)
            guard let place = window.first(where: { old[$0] == fact }) else { return nil }
            next = place + 1
            return place
        }
    }
}
