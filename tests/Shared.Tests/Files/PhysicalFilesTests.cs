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
