public import CKernel

// Responses (virtio 1.2 §5.6.6.1):
//
//     0  sense_len u32    4  residual u32    8  status_qualifier u16    10  status u8
//    11  response u8     12  sense 96 bytes
//
// All 108 bytes are written each time, so that the length in the used ring is true.

extension SCSITarget {
    /// Ends an executed request: `result` is what its backend said, bytes or negative errno.
    /// Returns the length for the used ring.
    @inlinable
    public func finish(_ request: SCSIRequest, result: Int64, head: UInt16) -> UInt32 {
        if result < 0 {
            let errno = Int32(truncatingIfNeeded: 0 &- max(result, -4095))
            respond(
                sense: .failure(errno: errno, of: request.block.operation),
                residual: request.dataCapacity, head: head)
            return UInt32(Self.responseBytes)
        }
        respond(residual: request.dataCapacity &- request.dataBytes, head: head)
        return UInt32(Self.responseBytes)
            &+ (request.block.operation == .read ? request.dataBytes : 0)
    }

    /// Ends a command that was answered at once, in the list it was parsed from. Returns the length
    /// for the used ring.
    public func finish(
        _ answer: SCSIAnswer, in list: borrowing SegmentList, head: UInt16
    ) -> UInt32 {
        var copied = 0
        var index = answer.firstSegment
        while copied < answer.dataBytes, index < list.count {
            let segment = list.segments[index]
            let count = min(Int(segment.byteCount), answer.dataBytes - copied)
            ck_copy_once(segment.address, reply.address(of: copied), count)
            copied += count
            index += 1
        }
        respond(
            response: answer.response, sense: answer.sense,
            residual: answer.dataCapacity - UInt32(copied), head: head)
        return UInt32(Self.responseBytes + copied)
    }

    /// Writes a response.
    @inlinable
    func respond(
        response: UInt8 = SCSIResponseCode.ok, sense: SCSISense = .none, residual: UInt32,
        head: UInt16
    ) {
        var bytes = InlineArray<108, UInt8>(repeating: 0)
        for index in 0..<4 {
            bytes[4 &+ index] = UInt8(truncatingIfNeeded: residual &>> UInt32(8 &* index))
        }
        bytes[11] = response
        if sense != .none {
            bytes[0] = UInt8(SCSISense.byteCount)
            bytes[10] = SCSIStatus.checkCondition
            sense.store(in: &bytes)
        }
        let place = places[Int(head)]
        // SAFETY: the 108 bytes of `bytes` are read; the places were translated and have as many.
        unsafe withUnsafePointer(to: bytes) {
            let from = UInt(bitPattern: $0)
            if place.address != 0 {
                ck_copy_once(place.address, from, Self.responseBytes)
            } else {
                storePieces(from, head: head, count: Int(place.byteCount))
            }
        }
    }

    @usableFromInline
    func storePieces(_ from: UInt, head: UInt16, count: Int) {
        let row = Int(head) * Self.responseBytes
        var offset: UInt = 0
        for index in row..<row + count {
            let piece = pieces[index]
            ck_copy_once(piece.address, from + offset, Int(piece.byteCount))
            offset += piece.byteCount
        }
    }
}

extension SCSISense {
    /// Sense data of fixed format about a current command (SPC-4 §4.5.3).
    var fixedFormat: InlineArray<18, UInt8> {
        var bytes = InlineArray<18, UInt8>(repeating: 0)
        bytes[0] = 0x70
        bytes[2] = key
        bytes[7] = UInt8(Self.byteCount - 8)
        bytes[12] = code
        bytes[13] = qualifier
        return bytes
    }

    /// Puts them into a response.
    @usableFromInline
    func store(in response: inout InlineArray<108, UInt8>) {
        let bytes = fixedFormat
        for index in 0..<Self.byteCount { response[12 + index] = bytes[index] }
    }
}
