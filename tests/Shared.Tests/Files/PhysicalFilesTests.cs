using System.Text;
using MassDpo.Shared.Files;
using MassDpo.TestKit;

namespace MassDpo.Shared.Tests.Files;

public sealed class PhysicalFilesTests
{
    private static readonly IFiles Files = PhysicalFiles.Instance;

    [Fact]
    public void A_log_grows_is_cut_back_and_goes_on_where_it_was()
    {
        using var folder = new TempFolder();
        using (var log = Files.OpenAppend(folder["log"]))
        {
            log.Append("one\n"u8);
            log.Append("two\n"u8);
            log.Sync();
        }
        using (var log = Files.OpenAppend(folder["log"]))
        {
            Assert.Equal(8, log.Length);
            log.Truncate(4);
            log.Append("three\n"u8);
        }
        Assert.Equal("one\nthree\n", File.ReadAllText(folder["log"]));
    }

    [Fact]
    public void A_file_that_grows_is_read_anywhere_in_it_and_after_its_name_is_gone()
    {
        using var folder = new TempFolder();
        using var log = Files.OpenAppend(folder["log"]);
        using var file = Files.OpenReadAt(folder["log"]);
        log.Append("one\ntwo\n"u8);
        var bytes = new byte[6];
        Assert.Equal((8, 6), (file.Length, file.ReadAt(1, bytes)));
        Assert.Equal("ne\ntwo"u8, bytes);
        Assert.Equal((4, 0), (file.ReadAt(4, bytes), file.ReadAt(9, bytes)));
        if (!OperatingSystem.IsWindows())
            Files.DeleteFile(folder["log"]);
        Assert.Equal(6, file.ReadAt(0, bytes));
        Assert.Equal("one\ntw"u8, bytes);
    }

    [Fact]
    public void A_folder_is_renamed_whole_and_its_names_are_made_durable()
    {
        using var folder = new TempFolder();
        Files.CreateFolder(folder["aside"]);
        using (var file = Files.Create(folder["aside", "a"]))
        {
            file.Write(Encoding.UTF8.GetBytes("x"));
            Files.Sync(file);
        }
        Files.SyncFolder(folder["aside"]);
        Files.Rename(folder["aside"], folder["there"]);
        Files.SyncFolder(folder.Path);
        Assert.Equal(["there"], Files.List(folder.Path));
        Assert.True(Files.FileExists(folder["there", "a"]));
        Assert.False(Files.FolderExists(folder["aside"]));
    }

    [Fact]
    public void A_lock_is_held_by_one_and_can_be_taken_when_it_is_let_go()
    {
        using var folder = new TempFolder();
        using (var first = Files.TryLock(folder["lock"]))
        {
            Assert.NotNull(first);
            Assert.Null(Files.TryLock(folder["lock"]));
        }
        using var second = Files.TryLock(folder["lock"]);
        Assert.NotNull(second);
    }

    [Fact]
    public void A_folder_that_is_not_there_cannot_be_made_durable()
    {
        using var folder = new TempFolder();
        Assert.Throws<IOException>(() => Files.SyncFolder(folder["absent"]));
    }
}
