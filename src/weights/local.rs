//! Models that were made here: each folder may hold an entry of its own, in the form of the manifest that the binary carries.

use std::fs;
use std::path::Path;

use super::manifest::{Manifest, Role};
use super::{Digest, WeightsError};

/// The file in a model's folder.
const ENTRY: &str = "manifest.toml";
/// No entry is longer.
const MOST_BYTES: u64 = 16 * 1024;

/// The text of an entry for a model whose only file is `model.gguf`.
///
/// # Errors
/// [`WeightsError::Manifest`] where it could not be read back: a name that no folder can have.
pub fn entry(name: &str, role: Role, licence: &str, about: &str, digest: &Digest) -> Result<String, WeightsError> {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let text = format!(
        "# Made here by `sightline models compress`.\n[[model]]\nname = {}\nrole = {}\nlicence = {}\nabout = {}\n\n  [[model.artefact]]\n  name = \"model.gguf\"\n  \
         size = {}\n  sha256 = {}\n  source = []\n",
        quoted(name),
        quoted(role.name()),
        quoted(licence),
        quoted(about),
        digest.size,
        quoted(&digest.sha256),
    );
    Manifest::parse(&text)?;
    Ok(text)
}

impl Manifest {
    /// The embedded manifest, and the entries in the folders of `dir`. A folder's entry is for a model of the folder's name that the binary does not know; any other is an error, since it
    /// would say something else of weights than what was verified.
    ///
    /// # Errors
    /// [`WeightsError::Entry`] naming the file.
    pub fn of(dir: &Path) -> Result<Self, WeightsError> {
        let mut all = Self::embedded()?;
        let Ok(folders) = fs::read_dir(dir) else { return Ok(all) };
        let mut files: Vec<_> =
            folders.filter_map(|f| Some(f.ok()?.path().join(ENTRY))).filter(|f| f.is_file()).collect();
        files.sort();
        for file in files {
            let wrong = |reason: String| WeightsError::Entry { path: file.clone(), reason };
            let length = fs::metadata(&file).map_err(WeightsError::io("read", &file))?.len();
            if length > MOST_BYTES {
                return Err(wrong(format!("{length} bytes, {MOST_BYTES} allowed")));
            }
            let text = fs::read_to_string(&file).map_err(WeightsError::io("read", &file))?;
            let own = Self::parse(&text).map_err(|e| wrong(e.to_string()))?;
            for model in own.models {
                if file.parent().and_then(Path::file_name).is_none_or(|folder| folder != model.name.as_str()) {
                    return Err(wrong(format!("`{}` is not the name of its folder", model.name)));
                }
                if all.find(&model.name).is_ok() {
                    return Err(wrong(format!("`{}` is a model of this program already", model.name)));
                }
                all.models.push(model);
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ENTRY, Manifest, entry};
    use crate::weights::{Digest, Role};

    #[test]
    fn an_entry_is_read_back_and_stands_beside_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Digest { size: 3, sha256: "ab".repeat(32) };
        let text = entry("small", Role::Llm, "Apache-2.0", "with \"quotes\"", &digest).unwrap();
        fs::create_dir(dir.path().join("small")).unwrap();
        fs::write(dir.path().join("small").join(ENTRY), &text).unwrap();
        let all = Manifest::of(dir.path()).unwrap();
        assert_eq!(all.models.len(), Manifest::embedded().unwrap().models.len() + 1);
        let small = all.find("small").unwrap();
        assert_eq!((small.about.as_str(), small.installed_bytes(), small.default), ("with \"quotes\"", 3, false));
        assert!(entry("../up", Role::Llm, "MIT", "", &digest).is_err());
    }

    #[test]
    fn an_entry_that_speaks_for_another_model_is_refused_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Digest { size: 3, sha256: "ab".repeat(32) };
        for (folder, name) in [("here", "there"), ("moonshine-tiny", "moonshine-tiny")] {
            let place = dir.path().join(folder);
            fs::create_dir(&place).unwrap();
            fs::write(place.join(ENTRY), entry(name, Role::Llm, "MIT", "", &digest).unwrap()).unwrap();
            let e = Manifest::of(dir.path()).unwrap_err().to_string();
            assert!(e.contains(folder) && e.contains(ENTRY) && e.contains(name), "{e}");
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir(dir.path().join("x")).unwrap();
        fs::write(dir.path().join("x").join(ENTRY), "[[model]\n").unwrap();
        assert!(Manifest::of(dir.path()).is_err());
        assert!(Manifest::of(&dir.path().join("nowhere")).is_ok());
    }
}
