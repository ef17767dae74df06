// SPDX-License-Identifier: MIT

import CSystemd
import Glibc

/// One open journal.
///
/// Confined to the thread that opened it, for its whole life (sd_journal_open(3)).
final class Journal {
    private let journal: OpaquePointer

    init() throws(SystemdError) {
        var journal: OpaquePointer?
        let result = sd_journal_open(&journal, Int32(SD_JOURNAL_LOCAL_ONLY))
        guard result >= 0, let journal else { throw SystemdError(result, "the journal can't be opened") }
        self.journal = journal
    }

    deinit { sd_journal_close(journal) }

    /// Has ``next(maximum:)`` give what the processes of one run of a unit write.
    func select(_ query: JournalQuery) throws(SystemdError) {
        try selectUnit(query.unit, query.scope)
        try match("_SYSTEMD_INVOCATION_ID=\(query.invocation)")
        if let name = query.name {
            // What was sent to the journal itself, and what was written to standard output: of that the journal may have
            // noted no run, or the next one.
            try match("_TRANSPORT=journal")
            try match("_TRANSPORT=syslog")
            _ = sd_journal_add_disjunction(journal)
            try match("SYSLOG_IDENTIFIER=\(name)")
            if query.scope == .user { try match("_UID=\(getuid())") }
        }
        // Bounds the whole texts that sd_journal_get_data copies for us.
        sd_journal_set_data_threshold(journal, 0)
        if let tail = query.tail {
            sd_journal_seek_tail(journal)
            // At the oldest of the last ones, or one step before the first of all.
            let found = sd_journal_previous_skip(journal, UInt64(tail) + 1)
            if found >= 0, UInt64(found) <= UInt64(tail) { sd_journal_seek_head(journal) }
        } else if let since = query.since {
            sd_journal_seek_realtime_usec(journal, since)
        } else {
            sd_journal_seek_head(journal)
        }
    }

    /// The runs of a unit that the journal has lines of, the newest first; at most `maximum`.
    func invocations(of unit: String, _ scope: ManagerScope, maximum: Int) throws(SystemdError) -> [String] {
        try selectUnit(unit, scope)
        sd_journal_seek_tail(journal)
        var found: [String] = []
        // Bounded: a server that wrote a million lines since is not read through.
        for _ in 0..<100_000 where found.count < maximum {
            guard sd_journal_previous(journal) > 0 else { break }
            guard let field = data("_SYSTEMD_INVOCATION_ID") else { continue }
            let invocation = String(decoding: field, as: UTF8.self)
            if !found.contains(invocation) { found.append(invocation) }
        }
        sd_journal_flush_matches(journal)
        return found
    }

    /// The next lines that are there; none at the end for now.
    func next(maximum: Int) throws(SystemdError) -> [JournalLine] {
        var lines: [JournalLine] = []
        while lines.count < maximum {
            let result = sd_journal_next(journal)
            if result < 0 { throw SystemdError(result, "the journal can't be read") }
            if result == 0 { break }
            guard let text = data("MESSAGE") else { continue }
            var time: UInt64 = 0
            sd_journal_get_realtime_usec(journal, &time)
            lines.append(JournalLine(microseconds: time, text: text))
        }
        return lines
    }

    /// Waits for something new, for this long at most.
    func wait(milliseconds: UInt64) { _ = sd_journal_wait(journal, milliseconds * 1000) }

    private func selectUnit(_ unit: String, _ scope: ManagerScope) throws(SystemdError) {
        switch scope {
        case .system: try match("_SYSTEMD_UNIT=\(unit)")
        case .user:
            try match("_SYSTEMD_USER_UNIT=\(unit)")
            try match("_UID=\(getuid())")
        }
    }

    private func match(_ field: String) throws(SystemdError) {
        let result = field.withCString { sd_journal_add_match(journal, $0, 0) }
        if result < 0 { throw SystemdError(result, "the journal can't be searched") }
    }

    private func data(_ field: String) -> [UInt8]? {
        var bytes: UnsafeRawPointer?
        var count = 0
        guard sd_journal_get_data(journal, field, &bytes, &count) >= 0, let bytes else { return nil }
        return Array(UnsafeRawBufferPointer(start: bytes, count: count).dropFirst(field.utf8.count + 1))
    }
}
