import Foundation
import QMP
import Testing

/// A QEMU that answers as it was recorded (Tests/QMPTests/Transcripts).
struct RecordedVM {
    private var session = QMPSession(connectedAt: 0)
    /// Answers without their ids, by calls without theirs.
    private var answers: [String: String] = [:]

    init() throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let path = tests.appending(path: "QMPTests/Transcripts/qemu-7.2.22.txt")
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
        let request = session.ask(query, at: 0, within: 1)
        let call = Self.withoutID(String(decoding: session.takeOutput(), as: UTF8.self)[...])
        let said = try #require(
            answer.map { #"{"return":\#($0)}"# } ?? answers[call], "\(call) was not recorded")
        let message = said.dropLast() + #","id":\#(request.id)}"#
        let outcomes = session.receive(Array(message.utf8)[...] + [10], at: 0)
        guard case .reply(_, let reply) = outcomes.last else { return nil }
        return reply
    }

    private static func withoutID(_ line: Substring) -> String {
        String(line.replacing(/,? ?"id": ?\d+}\s*$/, with: "}"))
    }
}
