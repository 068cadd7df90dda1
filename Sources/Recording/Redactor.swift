public import Telemetry

/// Replaces names and paths by words that say only what they stand for: `lun-3`, `file-12`. The
/// same name gets the same word everywhere, so that a recording still tells its LUNs apart.
///
/// What a number says stays. A text that a person or a program wrote freely (notices, findings'
/// evidence) keeps its words, except that every known name in it is replaced, and whatever looks
/// like a path.
public struct Redactor: Sendable {
    private var words: [String: String] = [:]
    private var counts: [String: Int] = [:]
    /// Known names, the longest first: a name may be part of another.
    private var names: [String] = []
    private var lastFacts: (plain: FactSheet, redacted: FactSheet)?

    /// Knows no name yet.
    public init() {}

    /// `snapshot` without names and paths.
    public mutating func redact(_ snapshot: Snapshot) -> Snapshot {
        var result = snapshot
        learn(snapshot)
        result.source.name = word(snapshot.source.name, "source")
        for index in result.vms.indices { redact(&result.vms[index]) }
        for index in result.luns.indices { redact(&result.luns[index]) }
        for index in result.threads.indices { redact(&result.threads[index]) }
        for index in result.locks.indices {
            result.locks[index].vm = result.locks[index].vm.map { word($0, "vm") }
            result.locks[index].name = free(result.locks[index].name)
            result.locks[index].waiters = result.locks[index].waiters.map(free)
        }
        for index in result.host.disks.indices {
            result.host.disks[index].name = word(result.host.disks[index].name, "disk")
            result.host.disks[index].luns = result.host.disks[index].luns.map { qualified($0) }
        }
        for index in result.eventCounts.indices {
            result.eventCounts[index].vm = result.eventCounts[index].vm.map { word($0, "vm") }
            result.eventCounts[index].detail = result.eventCounts[index].detail.map(free)
        }
        redactTexts(&result)
        return result
    }

    /// `mark` without names and paths.
    public func redact(_ mark: Mark) -> Mark {
        var result = mark
        result.scope = mark.scope.map(free)
        result.text = free(mark.text)
        return result
    }

    /// The word for the LUN called `name`, `VM/id` or id.
    public mutating func redact(lun name: String) -> String { qualified(name) }

    /// Gives every name of `snapshot` its word first, so that free texts find them all.
    private mutating func learn(_ snapshot: Snapshot) {
        for machine in snapshot.vms {
            _ = word(machine.name, "vm")
            if let path = machine.qmp { _ = word(path, "socket") }
        }
        for lun in snapshot.luns {
            _ = word(lun.id, "lun")
            for name in [lun.node] + lun.graph.map({ $0.name }) {
                _ = name.map { word($0, "node") }
            }
            for path in [lun.file] + lun.graph.map(\.file) { _ = path.map { word($0, "file") } }
            if let threads = lun.ioThread {
                for name in threads.split(separator: ",") { _ = word(String(name), "iothread") }
            }
        }
        for disk in snapshot.host.disks { _ = word(disk.name, "disk") }
    }

    private mutating func redact(_ machine: inout VirtualMachine) {
        machine.name = word(machine.name, "vm")
        machine.qmp = machine.qmp.map { word($0, "socket") }
    }

    private mutating func redact(_ lun: inout LUN) {
        lun.vm = lun.vm.map { word($0, "vm") }
        lun.id = word(lun.id, "lun")
        lun.node = lun.node.map { word($0, "node") }
        lun.file = lun.file.map { word($0, "file") }
        lun.ioThread = lun.ioThread.map { names in
            names.split(separator: ",").map { word(String($0), "iothread") }
                .joined(separator: ",")
        }
        lun.hostDisk = lun.hostDisk.map { word($0, "disk") }
        lun.throttle = lun.throttle.map { limits in
            limits.split(separator: " ").map { part in
                part.hasPrefix("group=")
                    ? "group=" + word(String(part.dropFirst(6)), "group") : String(part)
            }.joined(separator: " ")
        }
        for index in lun.graph.indices {
            lun.graph[index].name = word(lun.graph[index].name, "node")
            lun.graph[index].file = lun.graph[index].file.map { word($0, "file") }
        }
    }

    private mutating func redact(_ thread: inout ThreadActivity) {
        thread.vm = thread.vm.map { word($0, "vm") }
        // `CPU 0/KVM` and `IO iothread0` say what they are; another thread may be called anything.
        thread.name = thread.role == .other ? word(thread.name, "thread") : free(thread.name)
        thread.luns = thread.luns.map { word($0, "lun") }
    }

    private mutating func redactTexts(_ result: inout Snapshot) {
        for index in result.findings.indices { redact(&result.findings[index]) }
        for index in result.clearedFindings.indices { redact(&result.clearedFindings[index]) }
        result.facts = redact(result.facts)
        for index in result.notices.indices {
            result.notices[index].vm = result.notices[index].vm.map { word($0, "vm") }
            result.notices[index].text = free(result.notices[index].text)
        }
        for index in result.sources.indices {
            result.sources[index].vm = result.sources[index].vm.map { word($0, "vm") }
            result.sources[index].detail = result.sources[index].detail.map(free)
        }
        for index in result.unavailable.indices {
            result.unavailable[index].reason = free(result.unavailable[index].reason)
            result.unavailable[index].remedy = result.unavailable[index].remedy.map(free)
        }
    }

    private func redact(_ finding: inout Finding) {
        finding.scope = free(finding.scope)
        finding.title = free(finding.title)
        finding.evidence = free(finding.evidence)
        finding.fix = free(finding.fix)
        finding.sources = finding.sources.map(free)
        finding.remedy.qemu = finding.remedy.qemu.map(free)
        finding.remedy.libvirt = finding.remedy.libvirt.map(free)
        finding.remedy.live = finding.remedy.live.map(free)
        finding.remedy.verify = finding.remedy.verify.map(free)
    }

    // MARK: Facts

    /// Most samples share their facts with the one before.
    private mutating func redact(_ sheet: FactSheet) -> FactSheet {
        if let last = lastFacts, last.plain.isIdentical(to: sheet) { return last.redacted }
        for fact in sheet.facts { learn(fact.subject) }
        let redacted = FactSheet(sheet.facts.map(redact))
        lastFacts = (sheet, redacted)
        return redacted
    }

    private mutating func learn(_ subject: Subject) {
        if let vm = subject.vm { _ = word(vm, "vm") }
        switch subject.scope {
        case .disk(let name): _ = word(name, "disk")
        case .lun(let name): _ = word(name, "lun")
        case .ioThread(let name): _ = word(name, "iothread")
        case .guestDisk(let name): _ = word(name, "guest-disk")
        case .host, .vm, .guest, .tool: break
        }
    }

    private func redact(_ fact: Fact) -> Fact {
        var result = fact
        let scope = fact.subject.scope
        result.subject.vm = fact.subject.vm.map { words[$0] ?? $0 }
        result.subject.scope = Scope(scope.kind, scope.name.map { words[$0] ?? $0 }) ?? scope
        switch fact.value {
        // The name itself, whatever it is.
        case .text(let text): result.value = .text(fact.name == .domain ? "vm" : free(text))
        case .texts(let texts): result.value = .texts(texts.map(free))
        case .flag, .number, nil: break
        }
        result.source = free(fact.source)
        result.reason = fact.reason.map(free)
        return result
    }

    // MARK: Words

    /// The word that stands for `name`, a new one of `kind` if there is none.
    private mutating func word(_ name: String, _ kind: String) -> String {
        if let known = words[name] { return known }
        if name.isEmpty { return name }
        let number = (counts[kind] ?? 0) + 1
        counts[kind] = number
        let word = "\(kind)-\(number)"
        words[name] = word
        let place = names.firstIndex { $0.utf8.count <= name.utf8.count } ?? names.endIndex
        names.insert(name, at: place)
        return word
    }

    /// `VM/id` with a word for each part that is known as one.
    private mutating func qualified(_ name: String) -> String {
        if let known = words[name] { return known }
        guard let slash = name.lastIndex(of: "/") else { return word(name, "lun") }
        let vm = word(String(name[..<slash]), "vm")
        return vm + "/" + word(String(name[name.index(after: slash)...]), "lun")
    }

    /// A text with the known names and the paths in it replaced.
    private func free(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let first = rest.first {
            let isStart = result.last.map { !Self.isPartOfName($0) } ?? true
            if isStart, let name = names.first(where: { starts(rest, with: $0) }) {
                result += words[name] ?? ""
                rest = rest.dropFirst(name.count)
            } else if isStart, first == "/", !Self.isKernelFile(rest), let path = Self.path(rest) {
                result += "/…"
                rest = rest.dropFirst(path.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return result
    }

    private func starts(_ text: Substring, with name: String) -> Bool {
        guard text.hasPrefix(name) else { return false }
        return text.dropFirst(name.count).first.map { !Self.isPartOfName($0) } ?? true
    }

    private static func isPartOfName(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "-"
    }

    /// Where the kernel tells something is no secret; names in it are replaced all the same.
    private static func isKernelFile(_ text: Substring) -> Bool {
        text.hasPrefix("/proc/") || text.hasPrefix("/sys/")
    }

    /// The path that `text` begins with: two parts at least, so that `read/s` is none.
    private static func path(_ text: Substring) -> Substring? {
        let path = text.prefix { !$0.isWhitespace && !",;:'\"()".contains($0) }
        return path.count > 1 ? path : nil
    }
}
