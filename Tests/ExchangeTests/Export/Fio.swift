import Foundation
import Testing

extension Judge {
    /// What fio did.
    struct Issued: Equatable {
        var reads: Int
        var writes: Int
        var syncs: Int
        var readBytes: UInt64
        var writtenBytes: UInt64
        /// Milliseconds that the job took.
        var runtime: Int
    }

    /// Lets fio replay a log in the folder.
    func issued(_ options: String, engine: String = "psync") throws -> Issued {
        _ = try output(
            inFolder: "fio --name=replay --ioengine=\(engine) \(options)"
                + " --output-format=json --output=fio.json")
        let json = try JSONSerialization.jsonObject(
            with: Data(contentsOf: folder.appending(path: "fio.json")))
        let report = try #require(json as? [String: Any])
        let jobs = try #require(report["jobs"] as? [[String: Any]])
        let job = try #require(jobs.first)
        func number(_ section: String, _ key: String) throws -> Int {
            let values = try #require(job[section] as? [String: Any])
            return try #require(values[key] as? Int)
        }
        #expect(job["error"] as? Int == 0)
        return Issued(
            reads: try number("read", "total_ios"), writes: try number("write", "total_ios"),
            syncs: try number("sync", "total_ios"),
            readBytes: UInt64(try number("read", "io_bytes")),
            writtenBytes: UInt64(try number("write", "io_bytes")),
            runtime: try #require(job["job_runtime"] as? Int))
    }
}
