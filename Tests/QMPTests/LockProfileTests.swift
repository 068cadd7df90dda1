import Testing

@testable import QMP

/// QEMU's profile of its own locks.
struct LockProfileTests {
    private struct Missing: Error {}

    private static let title =
        "Type Object  Call site  Wait Time (s)         Count  Average (us)\n-----\n"

    @Test func aRealTable() throws {
        var conversation = try Conversation("qemu-7.2.22-locks")
        guard
            case .reply(_, .lockProfile(let profile)) = try conversation.ask(
                .monitorText(.lockProfile))
        else { throw Missing() }
        #expect(profile.sites.count == 29)
        let first = try #require(profile.sites.first)
        #expect(first.kind == "condvar" && first.place == "softmmu/cpus.c:423")
        #expect(first.waited == 5.92931 && first.count == 125)
        let bigLock = profile.sites.filter { $0.kind == "BQL mutex" }
        #expect(bigLock.count == 9)
        let devices = try #require(bigLock.first { $0.place == "softmmu/physmem.c:2748" })
        #expect(devices.waited == 0.00035 && devices.count == 7163)
        #expect(
            try conversation.ask(.monitorText(.lockProfileState)).map(reply)
                == .lockProfileState(isOn: true))
    }

    private func reply(_ outcome: QMPOutcome) -> QMPReply? {
        if case .reply(_, let reply) = outcome { reply } else { nil }
    }

    @Test func switchingItOnAndOff() throws {
        var conversation = try Conversation("qemu-7.2.22-locks")
        for isOn in [true, false] {
            let request = conversation.session.change(.profileLocks(isOn), at: 0, within: 1)
            #expect(try conversation.answer(request) == .reply(request, .changed))
        }
    }

    /// The human monitor refuses in words, and QMP takes that for an answer.
    @Test func aRefusalInWords() throws {
        var conversation = try Conversation()
        let request = conversation.session.change(.profileLocks(true), at: 0, within: 1)
        let words = #"unknown command: \u001b[2J'sync-profile'\r\nmore\r\n"#
        let outcome = conversation.say(#"{"return":"\#(words)","id":\#(request.id)}"#).last
        #expect(
            outcome
                == .refused(
                    request, class: "GenericError",
                    description: "unknown command: \u{FFFD}[2J'sync-profile'"))
    }

    @Test(arguments: [
        (#""sync-profile is on\r\n""#, true), (#""sync-profile is off\r\n""#, false),
        (#""unknown command: 'sync-profile'\r\n""#, nil), (#""""#, nil), ("{}", nil),
    ])
    func whetherItIsOn(answer: String, isOn: Bool?) throws {
        var conversation = try Conversation()
        #expect(
            conversation.ask(.monitorText(.lockProfileState), answered: answer)
                == isOn.map { .lockProfileState(isOn: $0) })
    }

    @Test(arguments: [
        "", "unknown command: 'info sync-profile'\n", "Type Object Call site\n",
        "Type Object Call site Count Average (us)\nBQL mutex 0x1 a.c:1 5 0.1\n",
    ])
    func whatIsNoTable(text: String) { #expect(QMPLockProfile(text) == nil) }

    @Test(arguments: [
        "BQL mutex  0x1  a.c:1  1.5  7", "BQL mutex  a.c:1  1.5  7  0.1",
        "0x1  a.c:1  1.5  7  0.1", "BQL mutex  0x1  1.5  7  0.1",
        "BQL mutex  0x1  a.c:1  inf  7  0.1", "BQL mutex  0x1  a.c:1  nan  7  0.1",
        "BQL mutex  0x1  a.c:1  -1  7  0.1", "BQL mutex  0x1  a.c:1  0x1p9  7  0.1",
        "BQL mutex  0x1  a.c:1  1e300  7  0.1", "BQL mutex  0x1  a.c:1  1.5  -7  0.1",
        "BQL mutex  0x1  a.c:1  1.5  99999999999999999999  0.1", "[", "----", "é é é é é é é",
    ])
    func whatIsNoRow(row: String) throws {
        let profile = try #require(QMPLockProfile(Self.title + row + "\n"))
        #expect(profile.sites.isEmpty)
    }

    @Test func rowsAmongOthers() throws {
        let profile = try #require(
            QMPLockProfile(
                "noise\n" + Self.title
                    + "BQL mutex [    2] a b/c.c:1 1.5 7 0.1\nwhat\nmutex 0x1 d.c:2 0.00000 0 0.00"
            ))
        #expect(profile.sites.map(\.kind) == ["BQL mutex", "mutex"])
        #expect(profile.sites.map(\.place) == ["b/c.c:1", "d.c:2"])
        #expect(profile.sites.map(\.waited) == [1.5, 0])
    }
}
