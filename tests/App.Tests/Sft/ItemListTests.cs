using MassDpo.App.Sft;
using MassDpo.TestKit;

namespace MassDpo.App.Tests.Sft;

public sealed class ItemListTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("a\nb b\n\n c \n", "a|b b| c ")]
    [InlineData("a\r\nb\r\n", "a|b")]
    [InlineData("a,b\n\"c\"", "a,b|\"c\"")]
    [InlineData("\uFEFFa\n", "a")]
    [InlineData("", "")]
    public void A_text_has_one_item_a_line(string text, string items) => Assert.Equal(items, string.Join('|', ItemList.Read(_folder.Write("items.txt", text))));

    [Theory]
    [InlineData("title\na\nb\n", "a|b")]
    [InlineData("id,item\n1,a\n2,b", "a|b")]
    [InlineData("NAME,year\na,1\n", "a")]
    [InlineData("\uFEFFtitle,year\na,1\n", "a")]
    [InlineData("id,title\r\n1,a\r\n2,b\r\n", "a|b")]
    [InlineData("id,title\n1,\"a, b\"\n2,\"say \"\"hi\"\"\"\n3,\"two\nlines\"\n", "a, b|say \"hi\"|two\nlines")]
    [InlineData("id,title\n1,5\" disc\n", "5\" disc")]
    [InlineData("id,title\n1\n2,\n3,c\n\n", "c")]
    [InlineData("item,title\na,b\n", "a")]
    public void A_csv_has_a_column_of_them(string text, string items) => Assert.Equal(items, string.Join('|', ItemList.Read(_folder.Write("items.csv", text))));

    [Theory]
    [InlineData("", "title, item, name")]
    [InlineData("id,year\n1,2\n", "title, item, name")]
    [InlineData("title\n\"never ends\n", "does not end")]
    public void A_csv_without_one_is_refused(string text, string words)
    {
        var file = _folder.Write("items.csv", text);
        var error = Assert.Throws<InvalidDataException>(() => ItemList.Read(file));
        Assert.StartsWith(file, error.Message);
        Assert.Contains(words, error.Message);
    }
}
