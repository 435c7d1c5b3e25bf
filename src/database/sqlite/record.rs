//! Converts records to rows and back.

use std::collections::{BTreeMap, BTreeSet};

use liverysync_core::{
    hash::Content,
    inspect::{ContentFacts, Damage},
    league::{Cause, HeldFile, HeldLivery, HoldState, MemberId, Record},
    manifest::Entry,
    path::{Extensions, PathFault, RelPath, fold},
    time::UnixTime,
};
use rusqlite::{Connection, OptionalExtension as _, params, types::Value};

use super::{
    fault::Fault,
    table::{Row, Table, integer, optional},
};

/// A held livery's folded name, and its member.
type HeldKey = (String, Option<MemberId>);

/// The column of a held file with the date from which its livery is held.
const SINCE: usize = 7;

/// Causes of rows that give a name no content.
const RETIRED: &str = "retired";
const TURNED_DOWN: &str = "turned-down";

/// Writes one record, dated `now`, into a transaction.
pub(super) fn write(connection: &Connection, now: &str, record: &Record) -> Result<(), Fault> {
    match record {
        Record::Placed { step, entry, author, cause } => {
            let of = (entry.content, entry.mtime, *author);
            version(connection, now, *step, &entry.path, Some(of), word(*cause))
        }
        Record::Retired { step, path } => version(connection, now, *step, path, None, RETIRED),
        Record::Declined { step, path, content } => {
            let of = (*content, None, None);
            version(connection, now, *step, path, Some(of), TURNED_DOWN)
        }
        Record::Forgotten { path } => {
            let mut delete = connection.prepare_cached("DELETE FROM versions WHERE key = ?")?;
            delete.execute([path.key().as_str()])?;
            Ok(())
        }
        Record::Verified(content) => Table::Verified.put(connection, &content_values(*content)?),
        Record::Inspected { content, facts } => inspected(connection, *content, *facts),
        Record::Owned { livery, owners, presumed } => owned(connection, livery, owners, *presumed),
        // The reports tell it.
        Record::Met { .. } => Ok(()),
        Record::Merged { former, member } => {
            let row = [former.to_string(), member.to_string(), now.to_owned()].map(Value::Text);
            Table::Merges.put(connection, &row)
        }
        Record::Held(livery) => held(connection, now, livery),
        Record::Banned { member, banned: true } => {
            Table::Bans.put(connection, &[member.to_string(), now.to_owned()].map(Value::Text))
        }
        Record::Banned { member, banned: false } => {
            let delete = "DELETE FROM bans WHERE member = ?";
            connection.prepare_cached(delete)?.execute([member.to_string()])?;
            Ok(())
        }
        Record::Blocked { hash, blocked: true } => {
            Table::Blocks.put(connection, &[hash.to_string(), now.to_owned()].map(Value::Text))
        }
        Record::Blocked { hash, blocked: false } => {
            let delete = "DELETE FROM blocks WHERE sha256 = ?";
            connection.prepare_cached(delete)?.execute([hash.to_string()])?;
            Ok(())
        }
        Record::Set { setting, value } => {
            let row = [setting.to_string(), value.clone(), now.to_owned()].map(Value::Text);
            Table::Settings.put(connection, &row)
        }
        Record::Seen { member, name } => seen(connection, now, *member, name),
        Record::Reported { member, complete, lost, gained } => {
            reported(connection, *member, *complete, lost, gained)
        }
    }
}

type Placed = (Content, Option<UnixTime>, Option<MemberId>);

fn version(
    connection: &Connection,
    now: &str,
    step: u64,
    path: &RelPath,
    of: Option<Placed>,
    cause: &str,
) -> Result<(), Fault> {
    let [hash, size] = match of {
        Some((content, ..)) => content_values(content)?,
        None => [Value::Null, Value::Null],
    };
    let mtime = of.and_then(|(_, mtime, _)| mtime);
    let author = of.and_then(|(.., author)| author);
    let cause = cause.to_owned().into();
    let row = [text(path), integer(step)?, hash, size, date(mtime), optional(author), cause];
    Table::Versions.put(connection, &[&row[..], &[now.to_owned().into()]].concat())
}

fn inspected(connection: &Connection, of: Content, facts: ContentFacts) -> Result<(), Fault> {
    let damage = |damage: Option<Damage>| optional(damage.map(Damage::word));
    let (width, height) = facts.pixels.unzip();
    let pixels = |pixels: Option<u32>| pixels.map_or(Value::Null, Into::into);
    let row = [damage(facts.png), damage(facts.json), pixels(width), pixels(height)];
    Table::Inspections.put(connection, &[&content_values(of)?[..], &row].concat())
}

fn owned(
    connection: &Connection,
    livery: &str,
    owners: &[MemberId],
    presumed: bool,
) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM owners WHERE key = ?")?.execute([fold(livery)])?;
    let put = |place: i64, owner: Option<MemberId>| {
        Table::Owners.put(connection, &[livery.to_owned().into(), place.into(), optional(owner)])
    };
    // A livery without an owner needs a row, too.
    if owners.is_empty() {
        put(0, None)?;
    }
    // Programs before this rule read every owner alike. A presumed owner is alone.
    let first = i64::from(!presumed);
    (first..).zip(owners).try_for_each(|(place, owner)| put(place, Some(*owner)))
}

/// Replaces the held files of a livery and a member. Files that stay as they are keep their rows, and all of them their date:
/// it says since when the livery waits.
fn held(connection: &Connection, now: &str, of: &HeldLivery) -> Result<(), Fault> {
    let (livery, author) = (fold(&of.livery), optional(of.member));
    // The next character after a slash is 0. As a range, it is found by the index.
    const OF_LIVERY: &str =
        "WHERE author IS ?1 AND (key = ?2 OR key > ?2 || '/' AND key < ?2 || '0')";
    let (mut kept, mut gone) = (BTreeMap::new(), Vec::new());
    let mut since = now.to_owned();
    let mut statement = Table::Held.select(connection, OF_LIVERY)?;
    let mut rows = statement.query(params![author, livery])?;
    while let Some(row) = rows.next()? {
        let row = Row::read(Table::Held, row)?;
        since = since.min(row.text(SINCE)?.to_owned());
        let other = kept.insert(row.text(0)?.to_owned(), (row.number, row.values));
        gone.extend(other.map(|(number, _)| number));
    }
    for HeldFile { entry, base, .. } in &of.files {
        let [hash, size] = content_values(entry.content)?;
        let state = state_word(of.state).to_owned().into();
        let file = [text(&entry.path), author.clone(), hash, size, date(entry.mtime)];
        let rest = [optional(*base), state, since.clone().into()];
        let row = [&file[..], &rest[..]].concat();
        if kept.get(entry.path.as_str()).is_some_and(|(_, known)| *known == row) {
            kept.remove(entry.path.as_str());
        } else {
            Table::Held.put(connection, &row)?;
        }
    }
    gone.extend(kept.into_values().map(|(number, _)| number));
    let mut delete = connection.prepare_cached("DELETE FROM held WHERE number = ?")?;
    for number in gone {
        delete.execute([number])?;
    }
    Ok(())
}

fn state_word(state: HoldState) -> &'static str {
    let known = HoldState::WORDS.iter().find(|(_, known)| *known == state);
    known.map_or("waiting", |(word, _)| word)
}

fn seen(connection: &Connection, now: &str, author: MemberId, name: &str) -> Result<(), Fault> {
    let author = author.to_string();
    let first: Option<String> = connection
        .prepare_cached("SELECT first_seen FROM members WHERE author = ?")?
        .query_row([&author], |row| row.get(0))
        .optional()?;
    let first = first.unwrap_or_else(|| now.to_owned());
    let row = [author, name.to_owned(), first, now.to_owned()].map(Value::Text);
    Table::Members.put(connection, &row)
}

fn reported(
    connection: &Connection,
    author: MemberId,
    whole: bool,
    lost: &[RelPath],
    gained: &[Entry],
) -> Result<(), Fault> {
    let name = author.to_string();
    if whole {
        connection.prepare_cached("DELETE FROM reports WHERE author = ?")?.execute([&name])?;
    }
    let mut delete =
        connection.prepare_cached("DELETE FROM reports WHERE author = ? AND key = ?")?;
    for path in lost {
        delete.execute([&name, path.key().as_str()])?;
    }
    for entry in gained {
        let [hash, size] = content_values(entry.content)?;
        let row = [text(&entry.path), name.clone().into(), hash, size, date(entry.mtime)];
        Table::Reports.put(connection, &row)?;
    }
    Ok(())
}

fn text(path: &RelPath) -> Value {
    Value::Text(path.as_str().to_owned())
}

fn content_values(content: Content) -> Result<[Value; 2], Fault> {
    Ok([Value::Text(content.hash.to_string()), integer(content.size)?])
}

fn date(date: Option<UnixTime>) -> Value {
    date.map_or(Value::Null, |date| Value::Integer(date.as_nanos()))
}

fn word(cause: Cause) -> &'static str {
    let known = Cause::WORDS.iter().find(|(_, known)| *known == cause);
    known.map_or("published", |(word, _)| word)
}

/// Converts rows to records and entries.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Every extension that was met: the league may no longer distribute some of them.
    extensions: Extensions,
}

impl Reader {
    /// Reads everything that is replayed.
    pub(super) fn records(&mut self, connection: &Connection) -> Result<Vec<Record>, Fault> {
        let mut records = Vec::new();
        // The settings come first: conflict names are recognized by them.
        let tables = [
            Table::Settings,
            Table::Versions,
            Table::Verified,
            Table::Inspections,
            Table::Owners,
            Table::Bans,
            Table::Blocks,
            Table::Members,
        ];
        for table in tables {
            table.each(connection, |row| self.record(row, &mut records))?;
        }
        records.extend(self.all_held(connection)?);
        records.extend(Self::met(connection)?);
        // Last, because they change who is meant everywhere else.
        Table::Merges.each(connection, |row| self.record(row, &mut records))?;
        Ok(records)
    }

    /// Reads from the last reports which members have had files of which liveries.
    fn met(connection: &Connection) -> Result<Vec<Record>, Fault> {
        let mut met = BTreeSet::new();
        Table::Reports.each(connection, |row| {
            let livery = fold(row.text(0)?.split('/').next().unwrap_or_default());
            met.insert((row.parse::<MemberId>(1)?, livery));
            Ok(())
        })?;
        Ok(met.into_iter().map(|(member, livery)| Record::Met { member, livery }).collect())
    }

    /// Adds the record of a row.
    fn record(&mut self, row: &Row, records: &mut Vec<Record>) -> Result<(), Fault> {
        records.push(match row.table() {
            Table::Versions => self.version(row)?,
            Table::Verified => Record::Verified(content(row, 0)?),
            Table::Inspections => {
                Record::Inspected { content: content(row, 0)?, facts: facts(row)? }
            }
            Table::Owners => return owner(row, records),
            Table::Held => {
                let (_, livery) = self.held(row)?;
                Record::Held(livery)
            }
            Table::Bans => Record::Banned { member: row.parse(0)?, banned: true },
            Table::Blocks => Record::Blocked { hash: row.parse(0)?, blocked: true },
            Table::Members => Record::Seen { member: row.parse(0)?, name: row.text(1)?.to_owned() },
            Table::Settings => {
                Record::Set { setting: row.parse(0)?, value: row.text(1)?.to_owned() }
            }
            Table::Merges => Record::Merged { former: row.parse(0)?, member: row.parse(1)? },
            Table::Reports => return Ok(()),
        });
        Ok(())
    }

    fn version(&mut self, row: &Row) -> Result<Record, Fault> {
        let (path, step) = (self.path(row)?, row.unsigned(1)?);
        Ok(match row.text(6)? {
            RETIRED => Record::Retired { step, path },
            TURNED_DOWN => Record::Declined { step, path, content: content(row, 2)? },
            word => {
                let cause = Cause::from_word(word)
                    .ok_or_else(|| row.wrong("has a cause that means nothing"))?;
                let author = if row.is_null(5) { None } else { Some(row.parse(5)?) };
                let entry = Entry { path, content: content(row, 2)?, mtime: mtime(row)? };
                Record::Placed { step, entry, author, cause }
            }
        })
    }

    /// Reads what is held. A file that changed later has a later row than the others of its livery.
    fn all_held(&mut self, connection: &Connection) -> Result<Vec<Record>, Fault> {
        let mut held: BTreeMap<HeldKey, HeldLivery> = BTreeMap::new();
        Table::Held.each(connection, |row| {
            let (key, mut livery) = self.held(row)?;
            if let Some(known) = held.get_mut(&key) {
                known.files.append(&mut livery.files);
            } else {
                held.insert(key, livery);
            }
            Ok(())
        })?;
        for livery in held.values_mut() {
            livery.files.sort_by(|a, b| a.entry.path.key().cmp(b.entry.path.key()));
            let spelled = livery.files.first().map(|file| file.entry.path.livery().to_owned());
            livery.livery = spelled.unwrap_or_default();
        }
        Ok(held.into_values().map(Record::Held).collect())
    }

    /// Reads one held file, as a livery of its own.
    fn held(&mut self, row: &Row) -> Result<(HeldKey, HeldLivery), Fault> {
        let entry = Entry { path: self.path(row)?, content: content(row, 2)?, mtime: mtime(row)? };
        let member = if row.is_null(1) { None } else { Some(row.parse(1)?) };
        let base = if row.is_null(5) { None } else { Some(row.parse(5)?) };
        let known =
            HoldState::WORDS.iter().find(|(word, _)| row.text(6).is_ok_and(|of| of == *word));
        let (_, state) = *known.ok_or_else(|| row.wrong("has a state that means nothing"))?;
        let livery = entry.path.livery().to_owned();
        let files = vec![HeldFile { entry, base }];
        Ok(((fold(&livery), member), HeldLivery { livery, member, state, files }))
    }

    /// Returns the livery and the member of a held file, with the date from which it is held.
    pub(super) fn held_since(&mut self, row: &Row) -> Result<(HeldKey, String), Fault> {
        let livery = fold(self.path(row)?.livery());
        let member = if row.is_null(1) { None } else { Some(row.parse(1)?) };
        Ok(((livery, member), row.text(SINCE)?.to_owned()))
    }

    /// Reads one file of a member's report.
    pub(super) fn report(&mut self, row: &Row) -> Result<(MemberId, Entry), Fault> {
        let entry = Entry { path: self.path(row)?, content: content(row, 2)?, mtime: mtime(row)? };
        Ok((row.parse(1)?, entry))
    }

    /// Reads the path in the first column.
    fn path(&mut self, row: &Row) -> Result<RelPath, Fault> {
        let text = row.text(0)?;
        let parsed = match RelPath::parse(text, &self.extensions) {
            Err(invalid) if self.learn(&invalid.fault) => RelPath::parse(text, &self.extensions),
            parsed => parsed,
        };
        parsed.map_err(|invalid| Fault::Name {
            table: row.table().name(),
            name: text.to_owned(),
            reason: invalid.fault.to_string(),
        })
    }

    /// Accepts one more extension. Returns false if the fault is another one.
    fn learn(&mut self, fault: &PathFault) -> bool {
        let PathFault::Extension(new) = fault else { return false };
        let all = self.extensions.iter().chain([new.as_str()]);
        let Ok(extensions) = Extensions::from_list(all) else { return false };
        self.extensions = extensions;
        true
    }

    /// Returns true if a row can be converted.
    pub(super) fn understands(&mut self, row: &Row) -> bool {
        match row.table() {
            Table::Reports => self.report(row).is_ok(),
            _ => self.record(row, &mut Vec::new()).is_ok(),
        }
    }
}

/// Adds an owner. The owners of a livery follow each other.
fn owner(row: &Row, records: &mut Vec<Record>) -> Result<(), Fault> {
    let name = row.text(0)?;
    if !matches!(records.last(), Some(Record::Owned { livery, .. }) if livery == name) {
        let presumed = row.integer(1)? == 0 && !row.is_null(2);
        records.push(Record::Owned { livery: name.to_owned(), owners: Vec::new(), presumed });
    }
    if let (Some(Record::Owned { owners, .. }), false) = (records.last_mut(), row.is_null(2)) {
        owners.push(row.parse(2)?);
    }
    Ok(())
}

/// Reads what the bytes of a content tell. A damage of a later version counts as none.
fn facts(row: &Row) -> Result<ContentFacts, Fault> {
    let damage = |at| match row.is_null(at) {
        true => Ok(None),
        false => row.text(at).map(Damage::from_word),
    };
    let pixels = |at| {
        let pixels = u32::try_from(row.integer(at)?);
        pixels.map_err(|_| row.wrong("has a size of a picture that is none"))
    };
    let pixels = if row.is_null(4) { None } else { Some((pixels(4)?, pixels(5)?)) };
    Ok(ContentFacts { png: damage(2)?, json: damage(3)?, pixels })
}

fn content(row: &Row, at: usize) -> Result<Content, Fault> {
    Ok(Content { hash: row.parse(at)?, size: row.unsigned(at + 1)? })
}

/// Reads the date in the fifth column.
fn mtime(row: &Row) -> Result<Option<UnixTime>, Fault> {
    if row.is_null(4) { Ok(None) } else { Ok(Some(UnixTime::from_nanos(row.integer(4)?))) }
}
