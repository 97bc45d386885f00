//! Names that Python gives a meaning: a file of such a name is loaded by programs that never heard of it.
//!
//! A Python that is started in a folder looks there first, for `random` as for `numpy`. So a file that is named after
//! a class is never one of these; see [`ClassName::file_stem`](super::ClassName::file_stem).

use std::fs;
use std::path::{Path, PathBuf};

/// The standard library of Python 3.9 to 3.14.
const LIBRARY: &str = "\
    __future__ _abc _aix_support _android_support _apple_support _ast _ast_unparse _asyncio _bisect _blake2 \
    _bootsubprocess _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections \
    _collections_abc _colorize _compat_pickle _compression _contextvars _crypt _csv _ctypes _curses _curses_panel \
    _datetime _dbm _decimal _elementtree _frozen_importlib _frozen_importlib_external _functools _gdbm _hashlib \
    _heapq _hmac _imp _interpchannels _interpqueues _interpreters _io _ios_support _json _locale _lsprof _lzma \
    _markupbase _md5 _msi _multibytecodec _multiprocessing _opcode _opcode_metadata _operator _osx_support \
    _overlapped _pickle _posixshmem _posixsubprocess _py_abc _py_warnings _pydatetime _pydecimal _pyio _pylong \
    _pyrepl _queue _random _remote_debugging _scproxy _sha1 _sha256 _sha3 _sha512 _signal _sitebuiltins _socket \
    _sqlite3 _sre _ssl _stat _statistics _string _strptime _struct _suggestions _symtable _thread _threading_local \
    _tkinter _tokenize _tracemalloc _types _typing _uuid _warnings _weakref _weakrefset _winapi _zoneinfo _zstd abc \
    aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii \
    bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys \
    compileall compression concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses \
    dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler \
    fcntl filecmp fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib \
    grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json \
    keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib \
    msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev \
    pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty \
    pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource rlcompleter \
    runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver \
    spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct subprocess sunau \
    symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap this threading time timeit \
    tkinter token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata \
    unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp \
    zipfile zipimport zlib zoneinfo";
/// What a strategy imports, and what backtesting.py imports for it.
const PACKAGES: &str = "backtesting bokeh contourpy dateutil indicators jinja2 joblib markupsafe matplotlib multitasking \
    narwhals numpy packaging pandas PIL pytz requests sambo scipy six skopt talib tornado tqdm tzdata xyzservices yaml \
    yfinance";
/// What Python, its package tools and test runners load or run by themselves.
const RUN_BY_ITSELF: &str = "__init__ __main__ app conf conftest dodo fabfile hubconf ipython_config locustfile manage \
    noxfile pavement setup sitecustomize tasks tests toxfile usercustomize wsgi asgi";

/// What Python makes of a module's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It is imported by others, who expect something else.
    Imported,
    /// It is run without being asked for.
    RunByItself,
}

/// What the file at `path` means to Pythons that are started in its folder; `None` for any other name, and for what is
/// no module. Case does not count: some file systems ignore it.
#[must_use]
pub fn meaning(path: &Path) -> Option<Meaning> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".py")?;
    let is_in = |names: &str| names.split_whitespace().any(|known| known.eq_ignore_ascii_case(name));
    if is_in(LIBRARY) || is_in(PACKAGES) {
        Some(Meaning::Imported)
    } else if is_in(RUN_BY_ITSELF) || name.starts_with("test") || name.ends_with("_test") {
        Some(Meaning::RunByItself)
    } else {
        None
    }
}

/// Whether one of `folders`, which a Python searches, has a module called `name`. Nothing is imported. The folder
/// `but` does not count.
pub(crate) fn is_installed(folders: &[PathBuf], but: &Path, name: &str) -> bool {
    let but = fs::canonicalize(but).ok();
    let others = folders.iter().filter(|folder| fs::canonicalize(folder).ok() != but);
    others.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten().any(|entry| {
        // `a/`, `a.py`, `a.pyc`, `a.cpython-312-x86_64-linux-gnu.so`.
        let entry = entry.file_name();
        let module = entry.to_str().and_then(|entry| entry.split('.').next());
        module.is_some_and(|module| module.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::ClassName;

    /// Every name there is a reason to avoid.
    fn avoided() -> impl Iterator<Item = &'static str> {
        [LIBRARY, PACKAGES, RUN_BY_ITSELF].into_iter().flat_map(str::split_whitespace)
    }

    #[test]
    fn a_file_named_after_a_class_means_nothing_to_python() {
        let more = [
            "Test",
            "Test_x",
            "TestStrategy",
            "Testing",
            "X_test",
            "Con",
            "Aux",
            "Nul",
            "COM1",
            "\u{416}",
            "",
        ];
        for class in avoided().chain(more) {
            let stem = ClassName::new(class).file_stem();
            assert!(stem.ends_with("_strategy"), "{class}: {stem}");
            assert!(
                stem.len() < 128
                    && stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
            for name in [format!("{stem}.py"), format!("{stem}_2.py"), format!("{stem}.draft.py")] {
                assert_eq!(meaning(Path::new(&name)), None, "{class}: {name}");
            }
        }
        let longest = ClassName::new(&"A1".repeat(200)).file_stem();
        assert!(longest.len() < 128, "{longest}");
    }

    #[test]
    fn a_name_of_the_users_own_is_judged_whatever_its_case() {
        for (name, meant) in [
            ("random.py", Some(Meaning::Imported)),
            ("a/Numpy.py", Some(Meaning::Imported)),
            ("indicators.py", Some(Meaning::Imported)),
            ("conftest.py", Some(Meaning::RunByItself)),
            ("test_rsi.py", Some(Meaning::RunByItself)),
            ("rsi_test.py", Some(Meaning::RunByItself)),
            ("rsi.py", None),
            ("random", None),
            ("random.txt", None),
        ] {
            assert_eq!(meaning(Path::new(name)), meant, "{name}");
        }
    }

    #[test]
    fn what_is_installed_is_found_without_an_import() {
        let site = tempfile::tempdir().expect("a folder");
        for file in ["a_strategy.py", "b_strategy.cpython-312-x86_64-linux-gnu.so"] {
            fs::write(site.path().join(file), "").expect("written");
        }
        fs::create_dir(site.path().join("C_strategy")).expect("made");
        let (folders, elsewhere) = ([site.path().to_owned()], Path::new("/"));
        for (name, found) in
            [("a_strategy", true), ("b_strategy", true), ("c_strategy", true), ("d_strategy", false)]
        {
            assert_eq!(is_installed(&folders, elsewhere, name), found, "{name}");
            assert!(!is_installed(&folders, site.path(), name), "{name}");
        }
    }
}
