internal import Telemetry

/// MSR Cambridge (SNIA IOTTA 388): `Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime`;
/// Windows time and response in units of 100 ns, offset and size in bytes.
enum MSRFormat: CommaFormat {
    static let fault = "no line of the MSR Cambridge format"
    /// 1601-01-01 to 1970-01-01 in units of 100 ns.
    private static let windowsEpoch: UInt64 = 116_444_736_000_000_000

    static func read(_ line: Span<UInt8>, _ fields: inout CommaFields) -> CommaRequest? {
        guard let time = fields.number(line), time >= windowsEpoch,
            let host = fields.next(line), !host.isEmpty, let disk = fields.next(line),
            !disk.isEmpty, let word = fields.next(line), let type = type(line, word),
            let offset = fields.number(line), let size = fields.number(line),
            let response = fields.number(line)
        else { return nil }
        let (wall, isOver) = (time - windowsEpoch).multipliedReportingOverflow(by: 100)
        let (nanoseconds, isOverToo) = response.multipliedReportingOverflow(by: 100)
        if isOver || isOverToo { return nil }
        // The device is host and disk: `usr,0`.
        return CommaRequest(
            wall: wall, type: type, device: host.lowerBound..<disk.upperBound,
            sector: offset / 512, bytes: size, response: nanoseconds)
    }

    private static func type(_ line: Span<UInt8>, _ word: Range<Int>) -> UInt32? {
        if line.holds("Read", at: word) { return RequestType.read.rawValue }
        if line.holds("Write", at: word) { return RequestType.write.rawValue }
        return nil
    }
}

/// SYSTOR '17 (SNIA IOTTA 4964): `Timestamp,Response,IOType,LUN,Offset,Size`; times in seconds,
/// offset and size in bytes. Type and response are blank where the array gave no answer.
enum SystorFormat: CommaFormat {
    static let fault = "no line of the SYSTOR '17 format"

    static func read(_ line: Span<UInt8>, _ fields: inout CommaFields) -> CommaRequest? {
        guard let wall = fields.seconds(line), let answer = fields.next(line),
            let word = fields.next(line), let device = fields.next(line), !device.isEmpty,
            let offset = fields.number(line), let size = fields.number(line)
        else { return nil }
        var response: Nanoseconds?
        if !answer.isEmpty {
            var inner = Fields(at: answer.lowerBound)
            response = inner.seconds(line)
            guard response != nil, inner.at == answer.upperBound else { return nil }
        }
        let type: UInt32?
        switch (word.count, word.isEmpty ? 0 : line[word.lowerBound]) {
        case (0, _): type = nil
        case (1, UInt8(ascii: "R")): type = RequestType.read.rawValue
        case (1, UInt8(ascii: "W")): type = RequestType.write.rawValue
        default: return nil
        }
        return CommaRequest(
            wall: wall, type: type, device: device, sector: offset / 512, bytes: size,
            response: response)
    }
}

/// Alibaba 2020: `device_id,opcode,offset,length,timestamp`; bytes, and microseconds since 1970.
enum AlibabaFormat: CommaFormat {
    static let fault = "no line of the Alibaba format"

    static func read(_ line: Span<UInt8>, _ fields: inout CommaFields) -> CommaRequest? {
        guard let device = fields.next(line), !device.isEmpty, let word = fields.next(line),
            word.count == 1, let offset = fields.number(line), let length = fields.number(line),
            let time = fields.number(line)
        else { return nil }
        let letter = line[word.lowerBound]
        guard letter == UInt8(ascii: "R") || letter == UInt8(ascii: "W") else { return nil }
        let (wall, isOver) = time.multipliedReportingOverflow(by: 1000)
        if isOver { return nil }
        let type =
            letter == UInt8(ascii: "R") ? RequestType.read.rawValue : RequestType.write.rawValue
        return CommaRequest(
            wall: wall, type: type, device: device, sector: offset / 512, bytes: length)
    }
}

/// Tencent CBS (SNIA IOTTA 27917): `Timestamp,Offset,Size,IOType,VolumeID`; seconds since 1970,
/// 512-byte sectors, type 0 a read and 1 a write.
enum TencentFormat: CommaFormat {
    static let fault = "no line of the Tencent format"

    static func read(_ line: Span<UInt8>, _ fields: inout CommaFields) -> CommaRequest? {
        guard let wall = fields.seconds(line), let sector = fields.number(line),
            let sectors = fields.number(line), sectors <= UInt64(UInt32.max) / 512,
            let type = fields.number(line), type < 2, let volume = fields.next(line),
            !volume.isEmpty
        else { return nil }
        return CommaRequest(
            wall: wall, type: type == 0 ? RequestType.read.rawValue : RequestType.write.rawValue,
            device: volume,
            sector: sector, bytes: sectors * 512)
    }
}
