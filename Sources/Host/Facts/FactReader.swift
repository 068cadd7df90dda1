internal import Kernel
internal import ProcFS
internal import SystemPackage
internal import Telemetry

/// A small file of /proc or /sys that is a fact as it stands.
struct FactFile: Sendable {
    /// What its text is.
    enum Form: Sendable {
        case text
        /// A whole number, times `unit`.
        case number(unit: Double = 1)
        /// `0` or `1`, `N` or `Y`.
        case flag
        /// The word in brackets.
        case choice
    }
    var name: FactName
    var path: String
    var form: Form
    /// Why there may be no such file, where there is more to say than that.
    var absence: String?

    init(_ name: FactName, _ path: String, _ form: Form, absence: String? = nil) {
        self.name = name
        self.path = path
        self.form = form
        self.absence = absence
    }
}

/// Reads small files of /proc and /sys, and makes facts of them. What cannot be read becomes a fact
/// without value, for the reason why.
struct FactReader: Sendable {
    let files: HostFiles
    private var buffer = [UInt8](repeating: 0, count: 8192)
    /// No more than this of a text is kept.
    private static let lengthLimit = 4096

    init(files: HostFiles) { self.files = files }

    /// The first 8 KiB of the file at `path`, without blanks at its ends.
    mutating func text(_ path: String) throws(KernelError) -> String {
        let count = try files.open(path).read(into: &buffer)
        let text = String(decoding: buffer[..<min(count, buffer.count)], as: UTF8.self)
        return String(text.trimmingBlanks)
    }

    /// The whole number in the file at `path`; `nil` if there is none.
    mutating func number(_ path: String) -> Int? { (try? text(path)).flatMap { Int($0) } }

    /// What `parse` makes of the whole file at `path`.
    mutating func value<Value>(
        _ path: String, parse: (Span<UInt8>) throws -> Value
    ) throws -> Value {
        defer { if buffer.count > 1 << 16 { buffer = Array(repeating: 0, count: 8192) } }
        return try files.open(path).readValue(into: &buffer, parse: parse)
    }

    /// The fact that `file` says about `subject`.
    mutating func fact(_ subject: Subject, _ file: FactFile) -> Fact {
        do {
            let text = try text(file.path)
            let value = file.form.value(of: text)
            return value.map { Fact(subject, file.name, $0, from: file.path) }
                ?? Fact(
                    subject, file.name, missing: "it says “\(text.harmless(limit: 64))”",
                    from: file.path)
        } catch {
            let reason = reason(for: error, absence: file.absence)
            return Fact(subject, file.name, missing: reason, from: file.path)
        }
    }

    /// Why a file gave nothing, fit for a screen.
    func reason(for error: any Error, absence: String? = nil) -> String {
        guard let error = error as? KernelError else { return "\(error)".harmless() }
        if error.isAbsence { return absence ?? "this kernel or hardware has no such file" }
        return "\(error.errno)" + (error.remedy.map { "; \($0)" } ?? "")
    }

    /// The names in the directory at `path`, none if it cannot be listed.
    func list(_ path: String) -> [String] { (try? files.list(path)) ?? [] }

    /// Whether there is a directory at `path`.
    func hasDirectory(_ path: String) -> Bool { (try? files.list(path)) != nil }
}

extension FactFile.Form {
    /// `text` as a value; `nil` if it is not of this form.
    func value(of text: String) -> FactValue? {
        switch self {
        case .text:
            return text.isEmpty ? nil : .text(text.harmless(limit: 4096))
        case .number(let unit):
            return Int(text).map { .number(Double($0) * unit) }
        case .flag:
            switch text {
            case "0", "N", "n": return false
            case "1", "Y", "y": return true
            default: return nil
            }
        case .choice:
            let bytes = Array(text.utf8) + [UInt8(ascii: "\n")]
            return (try? ChosenWord(bytes.span, file: "choice")).map { .text($0.word) }
        }
    }
}

extension KernelError {
    /// Whether it says that something is not there, and not that it cannot be reached: the files of
    /// /sys answer "invalid" or "not supported" where a setting does not apply.
    var isAbsence: Bool {
        switch errno {
        case .noSuchFileOrDirectory, .notDirectory, .operationNotSupportedByDevice,
            .noSuchAddressOrDevice,
            .notSupported, .notSupportedOnSocket, .invalidArgument:
            true
        default: false
        }
    }
}

extension String {
    /// Without blanks and line ends at both ends.
    var trimmingBlanks: Substring {
        let isBlank = { (character: Character) in character.isWhitespace || character == "\0" }
        let rest = drop(while: isBlank)
        guard let last = rest.lastIndex(where: { !isBlank($0) }) else { return "" }
        return rest[...last]
    }
}

extension Double {
    /// To one decimal, as shares and rates of facts are told.
    var roundedToTenths: Double { (self * 10).rounded() / 10 }
}
