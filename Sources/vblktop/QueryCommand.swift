import ArgumentParser
import Kernel
import Query
import Recording
import SystemPackage
import Telemetry

/// `vblktop query FILE 'SELECT …'`: SQL over a recording.
struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Ask a recording in SQL: LUNs, threads, requests, events, marks, findings.",
        discussion: """
            Only the tables that the statement reads are filled, from the part of the recording \
            that --from and --to leave. docs/query.md lists tables and columns.

            \(QueryTables.hint)
            """)

    @Argument(help: "The recording's files, then the statement.")
    var words: [String]

    @OptionGroup(title: "What of it") var range: RangeOptions

    @Flag(help: "A JSON object per row.")
    var json = false

    @Flag(help: "Comma-separated values with a heading.")
    var csv = false

    func validate() throws {
        guard words.count >= 2 else {
            throw ValidationError("give a recording and a statement: query FILE 'SELECT …'")
        }
        guard !(json && csv) else { throw ValidationError("--json and --csv are two forms") }
    }

    func run() throws {
        Process.ignoreWriteSignals()
        do {
            let recording = try RecordedSession(paths: words.dropLast())
            let (from, to) = try range.range(in: recording)
            let tables = try QueryTables(
                for: words.last ?? "", from: from, to: to,
                wallClockOffset: recording.wallClockOffset)
            try fill(tables, from: recording, from, to)
            try answer(tables)
            for line in recording.damage { printError(line) }
        } catch Errno.brokenPipe {
            return
        } catch {
            throw Failure(error)
        }
    }

    /// Puts into `tables` what their statement needs, and no more.
    private func fill(
        _ tables: QueryTables, from recording: RecordedSession, _ from: Nanoseconds?,
        _ to: Nanoseconds?
    ) throws {
        if tables.needsSnapshots {
            for index in recording.samples(from: from, to: to) {
                if let sample = try recording.sample(index) { try tables.insert(sample) }
            }
        }
        if tables.needsMarks { for mark in try recording.marks() { try tables.insert(mark) } }
        if tables.needsRequests {
            try recording.forEachRequests(from: from, to: to) { events, names in
                try tables.insert(events, names: names)
            }
        }
        if tables.needsEvents {
            try recording.forEachEvents(from: from, to: to) { try tables.insert($0) }
        }
    }

    private func answer(_ tables: QueryTables) throws {
        let columns = try tables.columnNames()
        func write(_ text: String) throws {
            try FileDescriptor.standardOutput.writeAll(text.utf8)
        }
        if csv { try write(QueryText.csv(heading: columns) + "\n") }
        var rows: [[QueryValue]] = []
        try tables.run { row in
            if json {
                try write(QueryText.json(row, columns: columns) + "\n")
            } else if csv {
                try write(QueryText.csv(row) + "\n")
            } else {
                rows.append(row)
            }
            return true
        }
        if !json, !csv { try write(QueryText.table(rows, columns: columns)) }
    }
}
