import FoundationEssentials
import Testing

@testable import QMP

/// A conversation recorded from a real QEMU, which answers as that QEMU did.
struct Transcript {
    /// What every recorded call has for an id.
    static let id = "987654321"

    let greeting: String
    /// What was answered, by what was called.
    private var answers: [String: String] = [:]
    /// All that QEMU said.
    private(set) var said: [String] = []

    init(_ name: String) throws {
        let text = String(decoding: try Self.bytes(of: name), as: UTF8.self)
        var call: String?
        for line in text.split(separator: "\n") {
            let message = String(line.dropFirst(2))
            if line.hasPrefix(">") {
                call = message
                continue
            }
            said.append(message)
            guard let asked = call, !message.contains(#""event""#) else { continue }
            answers[asked] = message
            call = nil
        }
        greeting = said.first ?? ""
    }

    static func bytes(of name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        return [UInt8](try Data(contentsOf: folder.appending(path: "Transcripts/\(name).txt")))
    }

    /// QEMU's answer to the line `call`, with the id of that call.
    func answer(to call: String) -> String? {
        guard let match = call.firstMatch(of: /"id":(\d+)}$/) else { return nil }
        let recorded = call.replacing(/"id":\d+}$/, with: #""id":\#(Self.id)}"#)
        return answers[recorded]?.replacing(Self.id, with: String(match.output.1))
    }
}

/// A session with something that answers.
struct Conversation {
    var session = QMPSession(connectedAt: 0)
    let transcript: Transcript

    init(_ name: String = "qemu-7.2.22") throws {
        transcript = try Transcript(name)
        try #require(say(try Transcript("qemu-7.2.22").greeting).isEmpty)
        let call = String(decoding: session.takeOutput(), as: UTF8.self)
        #expect(call == #"{"execute":"qmp_capabilities","id":0}"# + "\n")
        guard case .ready = say(#"{"return": {}, "id": 0}"#).first else {
            Issue.record("not ready")
            return
        }
    }

    mutating func say(_ text: String, at now: UInt64 = 0) -> [QMPOutcome] {
        session.receive(Array(text.utf8)[...] + [13, 10], at: now)
    }

    /// What QEMU answered to `query` when it was recorded.
    mutating func ask(_ query: QMPQuery) throws -> QMPOutcome? {
        let request = session.ask(query, at: 0, within: 1)
        return try answer(request)
    }

    mutating func answer(_ request: QMPRequest) throws -> QMPOutcome? {
        let line = String(decoding: session.takeOutput().dropLast(), as: UTF8.self)
        let answer = try #require(transcript.answer(to: line), "\(line) was never recorded")
        return say(answer).last
    }

    /// The answer to `query` if QEMU had said `value`.
    mutating func ask(_ query: QMPQuery, answered value: String) -> QMPReply? {
        let request = session.ask(query, at: 0, within: 1)
        guard case .reply(_, let reply) = say(#"{"return":\#(value),"id":\#(request.id)}"#).last
        else { return nil }
        return reply
    }
}
