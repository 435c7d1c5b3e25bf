//! Many files with one thing to say about them become one line.
//!
//! A folder with thousands of cache files would otherwise bury all else.

use std::mem;

/// Up to so many files get a line each.
const SINGLE_MAX: usize = 3;

/// What there is to say about files, until it is said.
#[derive(Debug, Default)]
pub(crate) struct Gather(Vec<Group>);

#[derive(Debug)]
struct Group {
    head: String,
    common: String,
    /// Names of files, with what is said of each alone.
    files: Vec<(String, String)>,
}

impl Gather {
    /// Adds a file. `head` is what happened (`not shared`), `common` why, for all with the same reason,
    /// `own` why, for this file alone. Files with the same `head` and `common` come together.
    pub(crate) fn add(&mut self, head: &str, path: String, common: String, own: String) {
        self.group(head, common).files.push((path, own));
    }

    /// Adds all that another one has.
    pub(crate) fn append(&mut self, other: Self) {
        for mut group in other.0 {
            self.group(&group.head, group.common).files.append(&mut group.files);
        }
    }

    fn group(&mut self, head: &str, common: String) -> &mut Group {
        let same = |group: &Group| group.head == head && group.common == common;
        let at = self.0.iter().position(same).unwrap_or_else(|| {
            self.0.push(Group { head: head.to_owned(), common, files: Vec::new() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Whether there is nothing to say.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all that there is to say, as lines.
    pub(crate) fn take(&mut self) -> Vec<String> {
        mem::take(&mut self.0).into_iter().flat_map(Group::lines).collect()
    }
}

impl Group {
    fn lines(self) -> Vec<String> {
        let Self { head, common, files } = self;
        if files.len() <= SINGLE_MAX {
            return files.iter().map(|(path, own)| format!("{head}: {path}: {own}")).collect();
        }
        let shown: Vec<_> = files.iter().take(SINGLE_MAX).map(|(path, _)| path.as_str()).collect();
        let (count, shown) = (files.len(), shown.join(", "));
        vec![format!("{head}: {count} files: {common}: {shown}, ...")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_get_a_line_each_and_many_get_one() {
        let mut gather = Gather::default();
        for number in 0..5 {
            let own = format!("cache of {number}");
            gather.add("not shared", format!("{number}.dds"), "cache".to_owned(), own);
        }
        gather.add("not shared", "x.zip".to_owned(), "type".to_owned(), "type zip".to_owned());
        let expected =
            ["not shared: 5 files: cache: 0.dds, 1.dds, 2.dds, ...", "not shared: x.zip: type zip"];
        assert_eq!(gather.take(), expected);
        assert!(gather.is_empty());
    }
}
