import Foundation
import QMP
import Testing

/// A QEMU that answers as it was recorded (Tests/QMPTests/Transcripts).
struct RecordedVM {
    private var session = QMPSession(connectedAt: 0)
    /// Answers without their ids, by calls without theirs.
    private var answers: [String: String] = [:]

    init(_ name: String = "qemu-7.2.22") throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let path = tests.appending(path: "QMPTests/Transcripts/\(name).txt")
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
        var call: String?
        for line in lines {
            if line.hasPrefix("> ") {
                call = Self.withoutID(line.dropFirst(2))
            } else if let asked = call, !line.contains(#""event""#) {
                answers[asked] = Self.withoutID(line.dropFirst(2))
                call = nil
            }
        }
        _ = session.receive(Array(lines[0].utf8.dropFirst(2))[...] + [10], at: 0)
        _ = session.takeOutput()
        _ = session.receive(Array(#"{"return":{},"id":0}"#.utf8)[...] + [10], at: 0)
    }

    /// What it answered to `query`; with `answer`, what it would have if that were its answer.
    mutating func ask(_ query: QMPQuery, answer: String? = nil) throws -> QMPReply? {
        guard case .reply(_, let reply) = try outcome(of: query, answer: answer) else { return nil }
        return reply
    }

    /// What came of `query`, a refusal too.
    mutating func outcome(of query: QMPQuery, answer: String? = nil) throws -> QMPOutcome? {
        let request = session.ask(query, at: 0, within: 1)
        let call = Self.withoutID(String(decoding: session.takeOutput(), as: UTF8.self)[...])
        let said = try #require(
            answer.map { #"{"return":\#($0)}"# } ?? answers[call], "\(call) was not recorded")
        let message = said.dropLast() + #","id":\#(request.id)}"#
        return session.receive(Array(message.utf8)[...] + [10], at: 0).last
    }

    private static func withoutID(_ line: Substring) -> String {
        // A refusal begins with it.
        String(
            line.replacing(/^{"id": ?\d+, ?/, with: "{").replacing(
                /,? ?"id": ?\d+}\s*$/, with: "}"))
    }
}
