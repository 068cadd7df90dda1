import Foundation

/// A block device over a file, which nobody but us uses.
struct LoopDevice {
    let path: String

    /// The kernel's name of it.
    var name: String { String(path.dropFirst("/dev/".count)) }

    /// Nil where it cannot be made: losetup is missing, or this user may not.
    init?(over file: String) {
        guard let losetup = findProgram("losetup"),
            let program = try? BackgroundProgram([
                losetup, "--direct-io=on", "--find", "--show", file,
            ]),
            let output = try? program.output()
        else { return nil }
        path = output.trimmingCharacters(in: .whitespacesAndNewlines)
        guard path.hasPrefix("/dev/loop") else { return nil }
    }

    func detach() {
        guard let losetup = findProgram("losetup") else { return }
        _ = try? BackgroundProgram([losetup, "--detach", path]).output()
    }
}

/// The JSON form of `iostat -x`.
struct IostatReport: Decodable {
    struct System: Decodable { let hosts: [Host] }
    struct Host: Decodable { let statistics: [Statistics] }
    struct Statistics: Decodable { let disk: [Row] }

    /// A disk's columns by their headings.
    struct Row: Decodable {
        let name: String
        let columns: [String: Double]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Heading.self)
            var (name, columns) = ("", [String: Double]())
            for key in container.allKeys {
                if key.stringValue == "disk_device" {
                    name = try container.decode(String.self, forKey: key)
                } else {
                    columns[key.stringValue] = try container.decode(Double.self, forKey: key)
                }
            }
            (self.name, self.columns) = (name, columns)
        }
    }

    private struct Heading: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    let sysstat: System

    /// The columns of one disk in the last report.
    static func disk(_ name: String, in output: String) throws -> [String: Double]? {
        let report = try JSONDecoder().decode(Self.self, from: Data(output.utf8))
        return report.sysstat.hosts.first?.statistics.last?.disk.first { $0.name == name }?.columns
    }
}
